// Starts GraphiQL: queries and mutations over POST, subscriptions over event streams. The headers
// editor at the bottom holds the Authorization header; both ways send what stands there.
(function () {
  'use strict';

  const url = new URL('/graphql', window.location.href).toString();
  const post = GraphiQL.createFetcher({ url, enableIncrementalDelivery: false });

  function operationType(document, name) {
    const operations = document.definitions.filter((it) => it.kind === 'OperationDefinition');
    const chosen = operations.find((it) => !name || (it.name && it.name.value === name));
    return chosen ? chosen.operation : 'query';
  }

  // The editor starts with an empty token; that means none, not a wrong one.
  function filled(headers) {
    const kept = Object.entries(headers || {}).filter(([, value]) => value.trim() !== 'Bearer');
    return Object.fromEntries(kept);
  }

  function fetcher(parameters, given) {
    const options = { ...given, headers: filled(given && given.headers) };
    const document = options.documentAST;
    if (!document || operationType(document, parameters.operationName) !== 'subscription') {
      return post(parameters, options);
    }
    const client = graphqlSse.createClient({ url, headers: options.headers });
    return {
      subscribe(observer) {
        const stop = client.subscribe(parameters, {
          next: (result) => observer.next(result),
          error: (error) => observer.error(error),
          complete: () => observer.complete(),
        });
        return { unsubscribe: stop };
      },
    };
  }

  const root = ReactDOM.createRoot(document.getElementById('graphiql'));
  root.render(
    React.createElement(GraphiQL, {
      fetcher,
      defaultEditorToolsVisibility: 'headers',
      isHeadersEditorEnabled: true,
      shouldPersistHeaders: false,
      defaultHeaders: JSON.stringify({ Authorization: 'Bearer ' }, null, 2),
      defaultQuery: '# Put an API key or token into the headers below, then run this.\n{\n  __typename\n}\n',
    }),
  );
})();
