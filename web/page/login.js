// The first screen: an account, a guest, or a guest who followed a link to a person.

import { find, setText, show } from './dom.js';
import { words } from './words.js';

/** The person that a link asks to call: `/#call=juliet@example.org`. */
export function invited() {
  const asked = new URLSearchParams(location.hash.slice(1)).get('call')?.trim();
  return asked && asked.length <= 1024 ? asked : null;
}

/** A link with which a guest calls that person. @param {string} jid */
export function invitation(jid) {
  return `${location.origin}${location.pathname}#call=${encodeURIComponent(jid).replaceAll('%40', '@')}`;
}

/**
 * Shows what fits.
 * @param {{guests?: string, domain?: string}} config
 * @param {boolean} [account] whether an account is asked for although a link was followed
 */
export function renderStart({ guests, domain }, account = false) {
  const person = account ? null : invited();
  const visit = Boolean(person && guests);
  setText(find('start-title'), visit ? words('visitTitle', { name: person ?? '' }) : words('welcome'));
  setText(find('start-hint'), words(visit ? 'visitHint' : 'welcomeHint'));
  find('jid').placeholder = `juliet@${domain ?? 'example.org'}`;
  show('visit', visit);
  show('login', !visit);
  show('guest', Boolean(guests));
}

/** Puts the keyboard where it is wanted first. */
export function focusStart() {
  find(find('visit').hidden ? 'jid' : 'visit-video').focus();
}
