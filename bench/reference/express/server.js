// Express 5 and firebase-admin for Node, as the usual guide puts them together.
import { createApp } from './app.js';

const port = Number(process.env.PORT);
createApp().listen(port, '127.0.0.1', () => console.log(`listening on ${port}`));
