// The calls that came while nobody was there.

import { find, make, show } from './dom.js';
import { moment, words } from './words.js';

/** @typedef {import('../stored.js').Missed} Missed */

export class MissedCalls {
  /** The newest first. @type {Missed[]} */
  #calls = [];
  #nameOf;

  /** @param {(person: string) => string} nameOf */
  constructor(nameOf) {
    this.#nameOf = nameOf;
  }

  /** @param {Missed} call */
  add(call) {
    this.#calls = [call, ...this.#calls].sort((one, other) => other.at.getTime() - one.at.getTime()).slice(0, MOST);
    this.render();
  }

  /** They speak now. @param {string} person */
  forget(person) {
    this.#calls = this.#calls.filter((call) => call.person !== person);
    this.render();
  }

  clear() {
    this.#calls = [];
    this.render();
  }

  render() {
    find('missed').replaceChildren(...this.#calls.map(({ person, at }) => (
      make('li', { 'data-jid': person }, words('missed', { name: this.#nameOf(person), time: moment(at) }))
    )));
    show('missed', this.#calls.length > 0);
  }
}

const MOST = 5;
