// UDP from one network to another: a socket in the file system leads there, one connection for each
// sender.

import dgram from 'node:dgram';
import net from 'node:net';

import { Wire } from './wire.mjs';

/**
 * Takes what is sent at the other end to a server here, and back.
 * @param {{path: string, to: {address: string, port: number}}} options
 */
export async function receiveDatagrams({ path, to }) {
  const server = net.createServer((stream) => {
    const socket = dgram.createSocket('udp4');
    socket.connect(to.port, to.address, () => {
      unpack(stream, (datagram) => socket.send(datagram));
    });
    socket.on('message', (datagram) => stream.write(pack(datagram)));
    socket.on('error', () => {}); // Lost, as datagrams are.
    stream.on('error', () => {});
    stream.on('close', () => socket.close());
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject).listen(path, () => resolve());
  });
  return server;
}

/** The other end: what is sent to that address and port comes out there. */
function sendDatagrams({ path, at }) {
  const senders = new Map();
  const socket = dgram.createSocket('udp4');
  socket.on('message', (datagram, { address, port }) => {
    const sender = `${address} ${port}`;
    let stream = senders.get(sender);
    if (!stream) {
      stream = net.connect(path);
      senders.set(sender, stream);
      unpack(stream, (answer) => socket.send(answer, port, address));
      stream.on('error', () => {});
      stream.on('close', () => senders.delete(sender));
    }
    stream.write(pack(datagram));
  });
  return new Promise((resolve) => {
    socket.bind(at.port, at.address, () => resolve());
  });
}

function pack(datagram) {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(datagram.length);
  return Buffer.concat([length, datagram]);
}

function unpack(stream, each) {
  let rest = Buffer.alloc(0);
  stream.on('data', (data) => {
    rest = Buffer.concat([rest, data]);
    while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE()) {
      const end = 2 + rest.readUInt16BE();
      each(rest.subarray(2, end));
      rest = rest.subarray(end);
    }
  });
}

// `node datagrams.mjs '{"datagrams": {path, at}, "streams": [from, to]}'` is the other end, with a wire
// beside it, in another network.
if (process.argv[1] === import.meta.filename) {
  const { datagrams, streams } = JSON.parse(process.argv[2]);
  await Promise.all([sendDatagrams(datagrams), new Wire(...streams).opened]);
  process.stdout.write('laid\n');
}
