// npm stanza and sdp-jingle-json do what `mapping.rs` does, on the same offer.
// sdp-jingle-json ends at JSON: the XML is left to whoever uses it.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(import.meta.url);
const stanza = require('stanza');
const protocol = require('stanza/protocol').default;
const { importFromSDP, exportToSDP } = require('stanza/jingle/sdp/Intermediate');
const {
  convertIntermediateToRequest, convertRequestToIntermediate,
  convertIntermediateToCandidate, convertCandidateToIntermediate,
} = require('stanza/jingle/sdp/Protocol');
const sjj = require('sdp-jingle-json');
const { parseCandidate, writeCandidate } = require('sdp');

const offer = readFileSync(
  path.join(import.meta.dirname, '../corpus/chrome156/audio-video.offer.sdp'), 'utf8');
const candidate = 'candidate:3745641921 1 udp 33562623 198.51.100.9 61021 typ relay'
  + ' raddr 203.0.113.7 rport 55447 generation 0 ufrag 86Ov network-cost 999';

const registry = new stanza.JXT.Registry();
registry.define(protocol);
const NS = 'urn:xmpp:jingle:1';
const ICE = 'urn:xmpp:jingle:transports:ice-udp:1';
const write = (jingle) => registry.export('iq.jingle', jingle).toString();
const read = (xml) => registry.import(stanza.JXT.parse(xml), { path: 'iq.jingle' });

function sdpToJingle() {
  const request = convertIntermediateToRequest(importFromSDP(offer), 'initiator', ICE);
  return write({ ...request, action: 'session-initiate', sid: 'a73sjjvkla37jfea' });
}

function jingleToSdp(xml) {
  return exportToSDP(convertRequestToIntermediate(read(xml), 'initiator'));
}

function candidateToInfo() {
  const own = convertIntermediateToCandidate(parseCandidate(candidate));
  return write({
    action: 'transport-info',
    sid: 'a73sjjvkla37jfea',
    contents: [{
      creator: 'initiator',
      name: '0',
      transport: {
        transportType: ICE, usernameFragment: '86Ov', password: 'ap9badRD0sRLozEPxsBWZcO2',
        candidates: [own],
      },
    }],
  });
}

function infoToCandidate(xml) {
  const [content] = read(xml).contents;
  return content.transport.candidates
    .map((own) => writeCandidate(convertCandidateToIntermediate(own)));
}

const sjjOptions = { role: 'initiator', direction: 'outgoing' };
const sjjJson = sjj.toOutgoingJSONOffer(offer);

const initiate = sdpToJingle();
const info = candidateToInfo();
if (!initiate.includes(NS) || !jingleToSdp(initiate).startsWith('v=0') || !info.includes('relay')
  || infoToCandidate(info).length !== 1) {
  throw new Error('stanza does not do what is measured');
}
if (!sjj.toOutgoingSDPOffer(sjjJson, sjjOptions).startsWith('v=0')) {
  throw new Error('sdp-jingle-json does not do what is measured');
}

report('stanza: sdp to jingle', sdpToJingle);
report('stanza: jingle to sdp', () => jingleToSdp(initiate));
report('stanza: candidate to transport-info', candidateToInfo);
report('stanza: transport-info to candidate', () => infoToCandidate(info));
report('sdp-jingle-json: sdp to json', () => sjj.toOutgoingJSONOffer(offer));
report('sdp-jingle-json: json to sdp', () => sjj.toOutgoingSDPOffer(sjjJson));

// CPU time of the whole process, so that collecting garbage counts.
function report(name, step) {
  const until = performance.now() + 1_000;
  while (performance.now() < until) step();
  const rounds = [];
  for (let round = 0; round < 5; round += 1) {
    let times = 0;
    const began = process.cpuUsage();
    const end = performance.now() + 600;
    while (performance.now() < end) {
      step();
      times += 1;
    }
    const { user, system } = process.cpuUsage(began);
    rounds.push((user + system) / times);
  }
  rounds.sort((a, b) => a - b);
  console.log(`${name}: ${rounds[2].toFixed(1)} µs CPU`);
}
