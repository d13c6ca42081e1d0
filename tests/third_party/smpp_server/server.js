// A carrier made of the npm package `smpp`: a codec and server that share nothing with ours.
//
// Prints what happens as JSON, a line each. Accepts every submit_sm, puts concatenated messages
// together, and sends a receipt where one is asked for. Recipients that end in 0 get their receipt
// by text alone, others by TLVs. The password is `secret`.
'use strict';

const smpp = require('smpp');

const say = (event) => process.stdout.write(JSON.stringify(event) + '\n');
let nextId = 0;
const parts = new Map();

function textOf(pdu) {
  const { udh, message } = pdu.short_message;
  // The library decodes data_coding 0 by its own default and 8 as UCS-2.
  const text = Buffer.isBuffer(message) ? message.toString('latin1') : message;
  if (!udh) return text;
  const element = [].concat(udh)[0];
  const [reference, total, number] = [...element].slice(-3);
  const key = `${pdu.source_addr}/${pdu.destination_addr}/${reference}`;
  const known = parts.get(key) || new Map();
  parts.set(key, known.set(number, text));
  if (known.size < total) return null;
  parts.delete(key);
  return Array.from({ length: total }, (_, index) => known.get(index + 1)).join('');
}

function receipt(session, pdu, id) {
  const fields = {
    source_addr: pdu.destination_addr,
    destination_addr: pdu.source_addr,
    esm_class: smpp.ESM_CLASS.MC_DELIVERY_RECEIPT,
  };
  if (pdu.destination_addr.endsWith('0')) {
    fields.short_message =
      `id:${id} sub:001 dlvrd:001 submit date:2301021233 done date:2301021234 ` +
      'stat:DELIVRD err:000 text:Hello';
  } else {
    fields.receipted_message_id = id;
    fields.message_state = 5;
    fields.network_error_code = Buffer.from([3, 0, 8]);
    fields.user_message_reference = pdu.user_message_reference;
  }
  session.deliver_sm(fields, (answer) => {
    say({ event: 'acknowledged', id, status: answer.command_status });
  });
}

const server = smpp.createServer((session) => {
  session.on('error', (error) => say({ event: 'error', error: String(error) }));
  session.on('bind_transceiver', (pdu) => {
    const known = pdu.password === 'secret';
    say({ event: 'bind', system_id: pdu.system_id, known });
    session.send(pdu.response({ command_status: known ? 0 : smpp.ESME_RINVPASWD }));
  });
  session.on('enquire_link', (pdu) => {
    say({ event: 'enquire_link' });
    session.send(pdu.response());
  });
  session.on('unbind', (pdu) => {
    say({ event: 'unbind' });
    session.send(pdu.response());
    session.close();
  });
  session.on('submit_sm', (pdu) => {
    const id = (0xabc0 + nextId++).toString(16);
    const text = textOf(pdu);
    if (text !== null) {
      say({
        event: 'message',
        from: pdu.source_addr,
        from_ton: pdu.source_addr_ton,
        to: pdu.destination_addr,
        to_ton: pdu.dest_addr_ton,
        registered_delivery: pdu.registered_delivery,
        data_coding: pdu.data_coding,
        reference: pdu.user_message_reference,
        valid_for_a_while: new Date(pdu.validity_period) > new Date(),
        text,
      });
    }
    session.send(pdu.response({ message_id: id }));
    if (pdu.registered_delivery & 1) receipt(session, pdu, id);
  });
});

server.listen(0, '127.0.0.1', () => say({ event: 'listening', port: server.address().port }));

// What is typed in is sent as a message from a phone.
require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
  for (const session of server.sessions) {
    session.deliver_sm({ source_addr: '15551230000', destination_addr: '1234', data_coding: 8, short_message: line });
  }
});
