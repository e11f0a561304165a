// Shorthands for the page's elements.

/**
 * The element of that id; a page without it is broken.
 * @param {string} id
 * @returns {any}
 */
export function find(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

/** @param {string} id @param {boolean} visible */
export function show(id, visible) {
  find(id).hidden = !visible;
}

/**
 * A new element.
 * @param {string} name
 * @param {Record<string, string>} [attributes]
 * @param {(Node | string)[]} content
 * @returns {HTMLElement}
 */
export function make(name, attributes = {}, ...content) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...content);
  return made;
}

/** One of the symbols at the top of the page. @param {string} name */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(SVG, 'use');
  use.setAttribute('href', `#i-${name}`);
  svg.append(use);
  return svg;
}

/** Shows another symbol. @param {Element} owner @param {string} name */
export function setIcon(owner, name) {
  owner.querySelector('use')?.setAttribute('href', `#i-${name}`);
}

/** Changes the text only if it differs: a live region would be read again. @param {Element} element @param {string} text */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const SVG = 'http://www.w3.org/2000/svg';
