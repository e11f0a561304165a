// A phone with current Jingle Message Initiation (XEP-0353), scripted stanza by stanza.

import { createHash } from 'node:crypto';

export const JMI = 'urn:xmpp:jingle-message:0';
export const JINGLE = 'urn:xmpp:jingle:1';

const INFO = 'http://jabber.org/protocol/disco#info';
const RTP = 'urn:xmpp:jingle:apps:rtp:1';
const ICE = 'urn:xmpp:jingle:transports:ice-udp:1';
const DTLS = 'urn:xmpp:jingle:apps:dtls:0';
const FEATURES = [
  INFO, JINGLE, JMI, RTP, 'urn:xmpp:jingle:apps:rtp:audio', ICE, DTLS, 'http://jabber.org/protocol/caps',
].sort();

/** Makes a scripted client available as such a phone. */
export function beAvailable(script) {
  // XEP-0115 §5.1.
  const text = `client/phone//Phone<${FEATURES.map((feature) => `${feature}<`).join('')}`;
  const ver = createHash('sha1').update(text).digest('base64');
  const features = FEATURES.map((feature) => `<feature var='${feature}'/>`).join('');
  script.answer(
    (iq) => iq.getAttribute('type') === 'get' && iq.getChild('query', INFO),
    (iq) => {
      const node = iq.getChild('query', INFO).getAttribute('node');
      return `<query xmlns='${INFO}'${node ? ` node='${node}'` : ''}>`
        + `<identity category='client' type='phone' name='Phone'/>${features}</query>`;
    },
  );
  script.send(
    `<presence xmlns='jabber:client'><c xmlns='http://jabber.org/protocol/caps' hash='sha-1'`
    + ` node='https://phone.example' ver='${ver}'/></presence>`,
  );
}

/** A Jingle Message: `<propose/>` has contents, the others may have a reason. */
export function message(to, name, id, content = '') {
  return `<message xmlns='jabber:client' to='${to}' type='chat'>`
    + `<${name} xmlns='${JMI}' id='${id}'>${content}</${name}><store xmlns='urn:xmpp:hints'/></message>`;
}

export const proposal = `<description xmlns='${RTP}' media='audio'/>`;

export const because = (reason) => `<reason xmlns='${JINGLE}'><${reason}/></reason>`;

/** An IQ set with `<jingle/>`, without id. */
export function jingle(to, action, sid, content = '', extra = '') {
  return `<iq type='set' to='${to}'><jingle xmlns='${JINGLE}' action='${action}' sid='${sid}'${extra}>${content}</jingle></iq>`;
}

/** One audio content whose description a browser takes, as offer or as answer. */
export function audioContent({ name = '0', setup }) {
  return `<content creator='initiator' name='${name}' senders='both'>`
    + `<description xmlns='${RTP}' media='audio'>`
    + `<payload-type id='111' name='opus' clockrate='48000' channels='2'><parameter name='useinbandfec' value='1'/></payload-type>`
    + `<rtcp-mux/></description>`
    + `<transport xmlns='${ICE}' ufrag='phon' pwd='thisisthepasswordofthephone'>`
    + `<fingerprint xmlns='${DTLS}' hash='sha-256' setup='${setup}'>${FINGERPRINT}</fingerprint>`
    + `<candidate component='1' foundation='1' generation='0' id='c1' ip='192.0.2.7' port='40000'`
    + ` priority='2122260223' protocol='udp' type='host' network='0'/>`
    + `</transport></content>`;
}

const FINGERPRINT = Array.from({ length: 32 }, (_, i) => (i * 7 + 16).toString(16).padStart(2, '0').toUpperCase()).join(':');
