// Errors and endings in words for a person.

import { knows, words } from './words.js';

/**
 * @param {any} error
 * @param {boolean} [guest] whether somebody without an account met it
 */
export function explain(error, guest = false) {
  const { code, condition, message } = error ?? {};
  if (code === 'refused') return words('error.refused', { why: refusal(condition, message) });
  if (guest && (code === 'login-refused' || condition === 'host-unknown')) return words('error.guest-refused');
  const key = `error.${code}`;
  return knows(key) ? words(key) : `${message ?? error}`;
}

/** Why a call is over. @param {import('../call.js').Call} call @param {any} [error] what ended it on this side */
export function ending({ reason, text }, error) {
  if (error?.code === 'refused') return refusal(error.condition, error.message);
  if (error?.code) return explain(error).replace(/[.。]$/, '');
  if (text === 'answered elsewhere') return words('end.elsewhere');
  const key = `end.${reason}`;
  return knows(key) ? words(key) : text || reason.replaceAll('-', ' ');
}

/** @param {string} condition @param {string} message */
function refusal(condition, message) {
  const key = `refused.${condition}`;
  return knows(key) ? words(key) : message;
}
