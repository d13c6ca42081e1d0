// Follows a subscription with the official graphql-sse client, its connection cut again and again.
import { createClient } from 'graphql-sse';
import { startCutter } from './cutter.mjs';
import { settings, startTally, report } from './settings.mjs';

const cutter = await startCutter(settings.url);
const { tally, take } = startTally(settings);
let lastEventId = null;
const client = createClient({
  url: `http://${cutter.host}${settings.url.pathname}`,
  headers() {
    const headers = {};
    if (settings.token) headers.authorization = `Bearer ${settings.token}`;
    if (lastEventId && settings.resume === 'header') headers['last-event-id'] = lastEventId;
    return headers;
  },
  retryAttempts: settings.cuts + 5,
  retry: async () => {},
});

// The client serializes this same object again on each connection, so the cursor goes along.
const request = { query: settings.document, variables: { ...settings.variables } };
await new Promise((resolve, reject) => {
  const stop = client.subscribe(request, {
    next(result) {
      if (result.errors) return reject(new Error(JSON.stringify(result.errors)));
      if (tally.received >= settings.events) return;
      const event = Object.values(result.data)[0];
      lastEventId = event.cursor;
      if (settings.resume === 'variable') request.variables.after = event.cursor;
      const then = take(event.seq);
      if (then === 'cut') cutter.cut();
      if (then === 'done') stop();
    },
    error: reject,
    complete: resolve,
  });
});
client.dispose();
cutter.stop();
report(tally);
