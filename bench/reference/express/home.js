import { Router } from 'express';
import { getFirestore } from 'firebase-admin/firestore';

import { success } from './envelope.js';
import { orderOf, recentOrders } from './orders.js';

const RECENT_ORDERS = 5;

export function homeRouter() {
  const db = getFirestore();
  const router = Router();

  router.get('/home', async (req, res) => {
    const { uid } = req.user;
    const user = db.collection('users').doc(uid);
    const [profile, orders, unread] = await Promise.all([
      user.get(),
      recentOrders(db, uid).limit(RECENT_ORDERS).get(),
      user.collection('notifications').where('readAt', '==', null).count().get(),
    ]);
    res.json(
      success({
        profile: { status: 'ok', data: profileOf(uid, profile.data()) },
        recentOrders: { status: 'ok', data: orders.docs.map((doc) => orderOf(doc.id, doc.data())) },
        notifications: { status: 'ok', data: { unread: unread.data().count } },
      }),
    );
  });

  return router;
}

function profileOf(uid, data) {
  return {
    id: uid,
    displayName: data.displayName,
    email: data.email,
    phoneNumber: data.phoneNumber,
    photoUrl: data.photoUrl,
    locale: data.locale,
    timezone: data.timezone,
    notificationPreferences: data.notificationPreferences,
    createdAt: data.createdAt.toDate().toISOString(),
    updatedAt: data.updatedAt.toDate().toISOString(),
    version: data.version,
  };
}
