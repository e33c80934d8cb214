// A grpc-js client that is told what to call by lines, and answers each with what it saw.
//
// Usage: node client.js CONTROL_PORT ADDRESS SERVER_NAME CA CERTIFICATE KEY (the last four may be empty).
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const net = require('net');
const readline = require('readline');
const grpc = require('@grpc/grpc-js');

const [port, address, serverName, ca, certificate, key] = process.argv.slice(2);
const service = '/temporal.api.workflowservice.v1.WorkflowService/';

function credentials() {
  if (ca === '') return grpc.credentials.createInsecure();
  const read = (path) => (path === '' ? null : fs.readFileSync(path));
  return grpc.credentials.createSsl(read(ca), read(key), read(certificate));
}

const options = {
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1000,
  'grpc.enable_retries': 0,
  'grpc.keepalive_time_ms': 1000,
  'grpc.keepalive_timeout_ms': 2000,
};
if (serverName !== '' && ca !== '') options['grpc.ssl_target_name_override'] = serverName;
const client = new grpc.Client(address, credentials(), options);

// A field of bytes, texts and messages alike: that is all that the request needs.
function field(number, value) {
  const bytes = Buffer.from(value);
  const length = [];
  for (let n = bytes.length; ; n >>>= 7) {
    length.push(n > 127 ? (n & 127) | 128 : n);
    if (n <= 127) break;
  }
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), bytes]);
}

function startRequest(size) {
  const input = crypto.randomBytes(size);
  return Buffer.concat([
    field(1, 'default'),
    field(2, 'w-' + input.subarray(0, 8).toString('hex')),
    field(3, field(1, 'Ping')),
    field(4, field(1, 'q')),
    field(5, field(1, field(2, input))),
    field(10, 'r'),
  ]);
}

function call(size, millis, done) {
  const same = (bytes) => bytes;
  const method = service + (size === 0 ? 'GetSystemInfo' : 'StartWorkflowExecution');
  const request = size === 0 ? Buffer.alloc(0) : startRequest(size);
  // Read as the message's fields would be: a number of bytes that are none is an error.
  client.makeUnaryRequest(method, same, check, request, { deadline: Date.now() + millis }, (error) => {
    done(error ? `${grpc.status[error.code]}: ${error.details}`.replace(/\s*\n\s*/g, ' ') : 'OK');
  });
}

function check(bytes) {
  let at = 0;
  const varint = () => {
    for (let value = 0, shift = 0; ; shift += 7) {
      if (at >= bytes.length || shift > 63) throw new Error('invalid wire format');
      const byte = bytes[at++];
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const type = tag & 7;
    if (type === 0) varint();
    else if (type === 1) at += 8;
    else if (type === 2) {
      const length = varint();
      at += length;
    } else if (type === 5) at += 4;
    else throw new Error('invalid wire type ' + type);
    if (at > bytes.length) throw new Error('index out of range');
  }
  return bytes;
}

const control = net.connect(Number(port), '127.0.0.1');
readline.createInterface({ input: control }).on('line', (line) => {
  const [size, millis] = line.split(' ').map(Number);
  call(size, millis, (seen) => control.write(seen + '\n'));
});
