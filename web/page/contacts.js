// The list of people, with who can be called now.

import { find, icon, make, setText, show } from './dom.js';
import { paint } from './portrait.js';
import { words } from './words.js';

/**
 * @typedef {import('../peers.js').Peer} Peer
 * @typedef {(person: string, video: boolean) => void} OnCall
 */

export class Contacts {
  /** @type {Peer[]} */
  #people = [];
  /** @type {Map<string, HTMLElement>} */
  #rows = new Map();
  #onCall;
  guest = false;

  /** @param {OnCall} onCall */
  constructor(onCall) {
    this.#onCall = onCall;
    find('address').addEventListener('input', () => this.render());
  }

  /** @param {Peer[]} people */
  show(people) {
    this.#people = people;
    this.render();
  }

  /** What the person is called, if we know. @param {string} jid */
  nameOf(jid) {
    return this.#people.find((person) => person.jid === jid || person.address === jid)?.name ?? jid;
  }

  /** Those who fit what was typed. @returns {Peer[]} */
  get matching() {
    const typed = find('address').value.trim().toLowerCase();
    return this.#people.filter(({ name, jid }) => `${name} ${jid}`.toLowerCase().includes(typed));
  }

  /** Rows stay where they are as long as they can: somebody's focus may be in one. */
  render() {
    const list = find('contacts');
    const shown = this.matching;
    for (const [jid, row] of this.#rows) {
      if (shown.some((person) => person.jid === jid)) continue;
      row.remove();
      this.#rows.delete(jid);
    }
    shown.forEach((person, at) => {
      const row = this.#rows.get(person.jid) ?? this.#row(person.jid);
      this.#fill(row, person);
      if (list.children[at] !== row) list.insertBefore(row, list.children[at] ?? null);
    });
    this.#renderEmpty(shown.length === 0);
  }

  /** @param {string} jid */
  #row(jid) {
    const portrait = make('span', { class: 'portrait', 'aria-hidden': 'true' });
    const audio = make('button', { type: 'button', class: 'quiet icon', 'data-kind': 'audio' }, icon('phone'));
    const video = make('button', { type: 'button', class: 'quiet icon', 'data-kind': 'video' }, icon('camera'));
    audio.addEventListener('click', () => this.#onCall(jid, false));
    video.addEventListener('click', () => this.#onCall(jid, true));
    const row = make('li', { 'data-jid': jid }, portrait, make(
      'div', { class: 'who' }, make('span', { class: 'name' }), make('span', { class: 'show' }),
    ), audio, video);
    this.#rows.set(jid, row);
    return row;
  }

  /** @param {HTMLElement} row @param {Peer} person */
  #fill(row, { jid, name, show: presence, media }) {
    const [portrait, who, audio, video] = /** @type {HTMLElement[]} */ ([...row.children]);
    const callable = presence !== 'unavailable' && (media.audio || media.video);
    row.dataset.show = presence;
    row.classList.toggle('callable', callable);
    paint(portrait, jid, name);
    setText(who.children[0], name);
    const state = words(`show.${presence}`);
    setText(who.children[1], presence === 'unavailable' || callable ? state : `${state} · ${words('noDevice')}`);
    who.title = jid;
    for (const [button, key, can] of /** @type {[HTMLElement, string, boolean][]} */ ([
      [audio, 'callAudio', callable && media.audio], [video, 'callVideo', callable && media.video],
    ])) {
      const label = words(key, { name });
      button.setAttribute('aria-label', label);
      button.title = label;
      button.hidden = !can;
    }
  }

  /** @param {boolean} empty */
  #renderEmpty(empty) {
    show('no-contacts', empty);
    if (!empty) return;
    const [title, hint] = find('no-contacts').children;
    const none = this.#people.length === 0;
    setText(title, words(none ? 'noPeople' : 'noMatch'));
    setText(hint, words(none ? (this.guest ? 'guestPeopleHint' : 'noPeopleHint') : 'noMatchHint'));
  }
}
