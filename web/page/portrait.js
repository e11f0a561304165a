// A person's colour and letter, where there is no picture: the same everywhere.

/**
 * @param {HTMLElement} element
 * @param {string} jid
 * @param {string} name
 */
export function paint(element, jid, name) {
  element.textContent = [...name.trim()][0]?.toUpperCase() ?? '?';
  element.style.setProperty('--hue', `${hue(jid)}`);
}

/** FNV-1a. @param {string} text */
function hue(text) {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text.toLowerCase())) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0) % 360;
}
