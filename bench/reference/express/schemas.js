import { z } from 'zod';

const productId = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/);
const line = z.string().trim().min(1).max(120);

export const createOrder = z.strictObject({
  items: z
    .array(z.strictObject({ productId, quantity: z.int().min(1).max(999) }))
    .min(1)
    .max(100)
    .refine((items) => new Set(items.map((item) => item.productId)).size === items.length, 'name each product once'),
  shippingAddress: z
    .strictObject({
      name: line,
      line1: line,
      line2: line.nullish().default(null),
      city: line,
      region: line.nullish().default(null),
      postalCode: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9 -]{1,11}$/),
      country: z.string().regex(/^[A-Z]{2}$/),
    })
    .nullish()
    .default(null),
  note: z.string().trim().min(1).max(500).nullish().default(null),
});

const FIELDS = new Set([
  'id', 'number', 'status', 'currency', 'items', 'subtotal', 'tax', 'total',
  'shippingAddress', 'note', 'createdAt', 'updatedAt', 'deletedAt', 'version',
]);

export const listOrders = z.strictObject({
  page: z.coerce.number().int().min(1).default(1),
  limit: z.coerce.number().int().min(1).default(20).transform((limit) => Math.min(limit, 100)),
  status: z.enum(['pending', 'confirmed', 'shipped', 'delivered', 'cancelled', 'refunded']).optional(),
  fields: z
    .string()
    .transform((text) => text.split(',').map((name) => name.trim()))
    .refine((names) => names.every((name) => FIELDS.has(name)), 'unknown field')
    .optional(),
});
