// A stretch of the network that a test can cut: TCP from a port of this machine to another.

import net from 'node:net';

export class Wire {
  #sockets = new Set();
  #cut = false;
  #server;
  /** Where it leads; may be said later. */
  target = 0;

  /** @param {number} port where it is listened, on 127.0.0.1 */
  constructor(port) {
    this.port = port;
    this.#server = net.createServer((near) => this.#join(near));
    this.opened = new Promise((resolve, reject) => {
      this.#server.once('error', reject).listen(port, '127.0.0.1', resolve);
    });
  }

  /** How many connections there are. */
  get connections() {
    return this.#sockets.size / 2;
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
    const far = net.connect(this.target, '127.0.0.1');
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
