// What can go wrong, by name: an app chooses its words by `code`, a developer reads the message, and
// `cause` is what the browser or the server said.

/**
 * @typedef {'login-refused' | 'unreachable' | 'no-address' | 'no-service' | 'lost' | 'closed'
 *   | 'timeout' | 'refused' | 'media-denied' | 'media-missing' | 'media-busy' | 'media-insecure'
 *   | 'screen-missing' | 'wrong-state'} ErrorCode
 */

export class CampanaError extends Error {
  /**
   * @param {ErrorCode} code
   * @param {string} message
   * @param {unknown} [cause]
   */
  constructor(code, message, cause) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'CampanaError';
    this.code = code;
  }
}

/** An error stanza of the service, the server or the peer. */
export class StanzaError extends CampanaError {
  /**
   * @param {string} condition the defined condition of RFC 6120 §8.3.3
   * @param {string} text what was said about it
   * @param {Element} [stanza] itself
   */
  constructor(condition, text, stanza) {
    super('refused', text || condition.replaceAll('-', ' '));
    this.name = 'StanzaError';
    this.condition = condition;
    this.text = text;
    this.stanza = stanza;
  }
}

/**
 * Why the microphone or the camera was not to be had.
 * @param {unknown} cause what getUserMedia threw
 */
export function mediaError(cause) {
  const name = cause instanceof Error ? cause.name : '';
  const code = MEDIA_CODES[/** @type {keyof typeof MEDIA_CODES} */ (name)] ?? 'media-busy';
  return new CampanaError(/** @type {ErrorCode} */ (code), wordsOf(cause), cause);
}

/**
 * Why no screen is shown.
 * @param {unknown} cause what getDisplayMedia threw
 */
export function screenError(cause) {
  const { code } = mediaError(cause);
  return new CampanaError(code === 'media-denied' ? code : 'screen-missing', wordsOf(cause), cause);
}

/** @param {unknown} error */
export const wordsOf = (error) => (error instanceof Error ? error.message : `${error}`);

// The names are those of Media Capture and Streams §10.2.
const MEDIA_CODES = {
  NotAllowedError: 'media-denied',
  SecurityError: 'media-denied',
  NotFoundError: 'media-missing',
  OverconstrainedError: 'media-missing',
};
