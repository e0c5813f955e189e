import { randomInt } from 'node:crypto';

import { Router } from 'express';
import { FieldValue, Timestamp, getFirestore } from 'firebase-admin/firestore';

import { success } from './envelope.js';
import { ApiError } from './errors.js';
import * as schemas from './schemas.js';

const TAX_RATE = 1000; // basis points
const READABLE = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

export function ordersRouter() {
  const db = getFirestore();
  const router = Router();

  router.get('/', async (req, res) => {
    const { page, limit, status, fields } = schemas.listOrders.parse(req.query);
    let query = recentOrders(db, req.user.uid, status).offset((page - 1) * limit).limit(limit);
    if (fields) query = query.select(...fields.filter((name) => name !== 'id'));
    const { docs } = await query.get();
    const data = docs.map((doc) => (fields ? selected(doc, fields) : orderOf(doc.id, doc.data())));
    res.json(success(data, { page, limit, hasNext: docs.length === limit }));
  });

  router.get('/:id', async (req, res) => {
    const doc = await db.collection('orders').doc(req.params.id).get();
    // The client decodes the document anew at each data().
    const order = doc.data();
    if (order?.userId !== req.user.uid) {
      throw new ApiError(404, 'ORDER_NOT_FOUND', `There is no order ${req.params.id}.`);
    }
    res.json(success(orderOf(doc.id, order)));
  });

  router.post('/', async (req, res) => {
    const wanted = schemas.createOrder.parse(req.body);
    const order = db.collection('orders').doc();
    const data = await db.runTransaction((transaction) => place(db, transaction, order, req.user.uid, wanted));
    res.status(201).json(success(orderOf(order.id, data)));
  });

  return router;
}

export function recentOrders(db, uid, status) {
  const query = db.collection('orders').where('userId', '==', uid).where('deletedAt', '==', null);
  return (status ? query.where('status', '==', status) : query).orderBy('createdAt', 'desc');
}

async function place(db, transaction, order, uid, wanted) {
  const found = await transaction.getAll(...wanted.items.map((item) => db.collection('products').doc(item.productId)));
  const products = found.map((doc) => doc.data());
  const errors = [];
  const items = wanted.items.map(({ productId, quantity }, index) => {
    const product = products[index];
    if (!product?.active) {
      errors.push({ field: `items[${index}].productId`, code: 'PRODUCT_UNAVAILABLE', message: `${productId} is not for sale.` });
      return null;
    }
    if (product.stock !== null && product.stock < quantity) {
      throw new ApiError(409, 'OUT_OF_STOCK', 'There is not enough left.');
    }
    return { productId, name: product.name, quantity, unitPrice: product.unitPrice, lineTotal: product.unitPrice * quantity };
  });
  if (errors.length) throw new ApiError(422, 'PRODUCT_UNAVAILABLE', 'Some products are not sold any more.', errors);

  const subtotal = items.reduce((sum, item) => sum + item.lineTotal, 0);
  const tax = Math.floor((subtotal * TAX_RATE + 5000) / 10000);
  const now = Timestamp.now();
  const data = {
    userId: uid,
    number: orderNumber(),
    status: 'pending',
    currency: products[0].currency,
    items,
    subtotal,
    tax,
    total: subtotal + tax,
    shippingAddress: wanted.shippingAddress,
    note: wanted.note,
    createdAt: now,
    updatedAt: now,
    deletedAt: null,
    version: 1,
  };
  products.forEach((product, index) => {
    if (product.stock !== null) {
      transaction.update(found[index].ref, { stock: FieldValue.increment(-wanted.items[index].quantity) });
    }
  });
  transaction.create(order, data);
  const event = { type: 'created', from: null, to: 'pending', actor: 'customer', at: now, reason: null };
  transaction.create(order.collection('events').doc('1'), event);
  return data;
}

function orderNumber() {
  const code = Array.from({ length: 8 }, () => READABLE[randomInt(READABLE.length)]).join('');
  return `W-${code.slice(0, 4)}-${code.slice(4)}`;
}

export function orderOf(id, data) {
  return {
    id,
    number: data.number,
    status: data.status,
    currency: data.currency,
    items: data.items,
    subtotal: data.subtotal,
    tax: data.tax,
    total: data.total,
    shippingAddress: data.shippingAddress,
    note: data.note,
    createdAt: data.createdAt.toDate().toISOString(),
    updatedAt: data.updatedAt.toDate().toISOString(),
    deletedAt: data.deletedAt && data.deletedAt.toDate().toISOString(),
    version: data.version,
  };
}

function selected(doc, fields) {
  const data = doc.data();
  return Object.fromEntries(fields.map((name) => [name, name === 'id' ? doc.id : plain(data[name])]));
}

function plain(value) {
  return value instanceof Timestamp ? value.toDate().toISOString() : value;
}
