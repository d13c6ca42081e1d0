// Runs the official GraphQL-over-HTTP audits (graphql-http) and prints one JSON line each.
import { serverAudits } from 'graphql-http';
import { settings, report } from './settings.mjs';

const fetchFn = (url, init = {}) => {
  const headers = { ...init.headers };
  if (settings.token) headers.authorization = `Bearer ${settings.token}`;
  return fetch(url, { ...init, headers });
};

for (const audit of serverAudits({ url: settings.url.toString(), fetchFn })) {
  const { id, name, status, reason } = await audit.fn();
  report({ id, name, status, reason });
}
