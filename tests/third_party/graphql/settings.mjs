// What the scripts take from the environment, so that they run against any server.
//
//   URL       http://host:port/graphql
//   TOKEN     bearer token; none if empty
//   DOCUMENT  subscription with a variable $after, whose only root field selects `cursor` and `seq`
//   VARIABLES its other variables, as JSON
//   EVENTS    how many events to receive in all
//   CUTS      how many times to cut the connection meanwhile
//   RESUME    variable (sends $after) or header (sends Last-Event-ID; event streams only)
const { env } = process;

function need(name) {
  if (!env[name]) throw new Error(`set ${name}`);
  return env[name];
}

export const settings = {
  url: new URL(need('URL')),
  token: env.TOKEN || '',
  document: env.DOCUMENT || '',
  variables: JSON.parse(env.VARIABLES || '{}'),
  events: Number(env.EVENTS || 550),
  cuts: Number(env.CUTS || 10),
  resume: env.RESUME || 'variable',
};

// Follows the sequence: dense, ascending. Tells when to cut and when it is enough.
export function startTally({ events, cuts }) {
  const every = Math.floor(events / (cuts + 1));
  const tally = { received: 0, cuts: 0, missed: 0, repeated: 0, first: null, last: null };
  let cutAt = every;
  return {
    tally,
    take(seq) {
      if (tally.last === null) tally.first = seq;
      else if (seq <= tally.last) tally.repeated += 1;
      else tally.missed += seq - tally.last - 1;
      tally.last = seq;
      tally.received += 1;
      if (tally.received >= cutAt && tally.cuts < cuts) {
        tally.cuts += 1;
        cutAt += every;
        return 'cut';
      }
      return tally.received >= events ? 'done' : 'go on';
    },
  };
}

export function report(result) {
  console.log(JSON.stringify(result));
}
