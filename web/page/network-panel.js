// What the network does to a call, while somebody looks.

import { find, make, show } from './dom.js';
import { knows, words } from './words.js';

/** @typedef {import('../network.js').Report} Report */

const EVERY = 1500;

export class NetworkPanel {
  /** @type {import('../call.js').Call | null} */
  #call = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #clock;

  constructor() {
    find('show-network').addEventListener('click', () => this.toggle(find('network').hidden));
    find('network-close').addEventListener('click', () => {
      this.toggle(false);
      find('show-network').focus();
    });
    find('network').addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== 'Escape') return;
      this.toggle(false);
      find('show-network').focus();
    });
  }

  /** @param {import('../call.js').Call | null} call */
  follow(call) {
    this.#call = call;
    if (!call) this.toggle(false);
  }

  /** @param {boolean} open */
  toggle(open) {
    show('network', open);
    find('show-network').setAttribute('aria-expanded', `${open}`);
    clearInterval(this.#clock);
    if (!open) return;
    this.#clock = setInterval(() => this.update(), EVERY);
    this.update();
    find('network-title').focus();
  }

  /** Shows how it is now. */
  async update() {
    const report = await this.#call?.network().catch(() => null);
    if (report && !find('network').hidden) draw(report);
  }
}

/** @param {Report} report */
function draw({ path, rtt, flows, pairs }) {
  const rate = (/** @type {string} */ direction) => flows
    .filter((flow) => flow.direction === direction)
    .reduce((/** @type {number | null} */ sum, { bitrate }) => (bitrate === null ? sum : (sum ?? 0) + bitrate), null);
  find('network-path').replaceChildren(...[
    ['path', words(`path.${path}`)],
    ['rtt', rtt === null ? '–' : `${Math.round(rtt)} ms`],
    ['incomingRate', bits(rate('in'))],
    ['outgoingRate', bits(rate('out'))],
  ].map(([key, value]) => make('div', key === 'path' ? { class: path } : {}, make('dt', {}, words(key)), make('dd', {}, value))));
  find('network-flows').replaceChildren(...flows.map((flow) => make(
    'tr', {},
    make('th', { scope: 'row' }, `${flow.direction === 'in' ? '↓' : '↑'} ${words(`kind.${flow.kind}`)}`,
      ...(flow.size ? [make('small', {}, flow.frames ? `${flow.size} · ${Math.round(flow.frames)}/s` : flow.size)] : [])),
    make('td', {}, flow.codec || '–'),
    make('td', {}, bits(flow.bitrate)),
    make('td', {}, flow.loss === null ? '–' : `${(flow.loss * 100).toFixed(1)} %`),
  )));
  find('network-pairs').replaceChildren(...pairs.slice(0, MAX_PAIRS).map((pair) => make(
    'tr', pair.selected ? { class: 'selected' } : {},
    place(pair.local), place(pair.remote),
    make('td', {}, condition(pair), ...(pair.rtt === null ? [] : [make('small', {}, `${Math.round(pair.rtt)} ms`)])),
  )));
}

/** @param {import('../network.js').End} end */
const place = ({ type, protocol, address }) => make(
  'td', {}, `${type || '–'} ${protocol}`, make('small', {}, address || words('hidden')),
);

/** @param {Report['pairs'][number]} pair */
function condition({ selected, state }) {
  const key = selected ? 'selected' : `pair.${state}`;
  return knows(key) ? words(key) : state;
}

/** @param {number | null} rate in bit/s */
function bits(rate) {
  if (rate === null) return '–';
  if (rate >= 1e6) return `${(rate / 1e6).toFixed(1)} Mbit/s`;
  return `${Math.round(rate / 1000)} kbit/s`;
}

const MAX_PAIRS = 24;
