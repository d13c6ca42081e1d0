// Follows a subscription with the official graphql-ws client, its connection cut again and again.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { startCutter } from './cutter.mjs';
import { settings, startTally, report } from './settings.mjs';

const cutter = await startCutter(settings.url);
const { tally, take } = startTally(settings);
const client = createClient({
  url: `ws://${cutter.host}${settings.url.pathname}`,
  webSocketImpl: WebSocket,
  connectionParams: settings.token ? { authorization: `Bearer ${settings.token}` } : {},
  retryAttempts: settings.cuts + 5,
  retryWait: async () => {},
});

// The client sends this same object again on each connection, so the cursor goes along.
const request = { query: settings.document, variables: { ...settings.variables } };
await new Promise((resolve, reject) => {
  const stop = client.subscribe(request, {
    next(result) {
      if (result.errors) return reject(new Error(JSON.stringify(result.errors)));
      if (tally.received >= settings.events) return;
      const event = Object.values(result.data)[0];
      request.variables.after = event.cursor;
      const then = take(event.seq);
      if (then === 'cut') cutter.cut();
      if (then === 'done') stop();
    },
    error: (error) => reject(error instanceof Error ? error : new Error(JSON.stringify(error))),
    complete: resolve,
  });
});
await client.dispose();
cutter.stop();
report(tally);
