// A stretch of the network that a test can cut: TCP from one place to another.

import net from 'node:net';

/** @typedef {{port: number, host?: string} | {path: string}} Place as of `net.connect` */

export class Wire {
  #sockets = new Set();
  #cut = false;
  #server;

  /**
   * @param {Place} from where it is listened
   * @param {Place} [to] where it leads; may be said later
   */
  constructor(from, to) {
    this.to = to;
    this.#server = net.createServer((near) => this.#join(near));
    /** @type {Promise<void>} */
    this.opened = new Promise((resolve, reject) => {
      this.#server.once('error', reject).listen(from, () => resolve());
    });
  }

  /** Ends every connection, and takes no more until it is mended. */
  cut() {
    this.#cut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend() {
    this.#cut = false;
  }

  async close() {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(near) {
    if (this.#cut) {
      near.destroy();
      return;
    }
    const far = net.connect(this.to);
    for (const [one, other] of [[near, far], [far, near]]) {
      this.#sockets.add(one);
      one.pipe(other);
      one.on('error', () => {}); // `close` follows.
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
  }
}

/** The host of the tests' servers. */
export const HERE = '127.0.0.1';

// `node wire.mjs '[[from, to], …]'` lays wires of its own until it is ended: in another network.
if (process.argv[1] === import.meta.filename) {
  const wires = JSON.parse(process.argv[2]).map(([from, to]) => new Wire(from, to));
  await Promise.all(wires.map(({ opened }) => opened));
  process.stdout.write('laid\n');
}
