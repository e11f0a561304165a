// stanza.js leaves content-add to its apps. This is one that takes what is added to a call, and can add
// its camera.

import jingle from 'stanza/jingle/index.js';
import protocol from 'stanza/jingle/sdp/Protocol.js';

const { MediaSession, exportToSDP, importFromSDP } = jingle;
const { convertIntermediateToRequest, convertRequestToIntermediate } = protocol;

export class CameraSession extends MediaSession {
  async onContentAdd(changes, done) {
    done();
    const offer = importFromSDP(this.pc.remoteDescription.sdp);
    extend(offer, convertRequestToIntermediate(changes, this.peerRole).media);
    for (const media of offer.media) media.setup = 'actpass';
    await this.pc.setRemoteDescription({ type: 'offer', sdp: exportToSDP(offer) });
    const answer = await this.pc.createAnswer();
    await this.pc.setLocalDescription(answer);
    this.send('content-accept', this.#only(changes.contents.map(({ name }) => name), answer, this.peerRole));
  }

  /** Adds a track to the call under way. */
  async addToCall(track, stream) {
    const before = importFromSDP(this.pc.localDescription.sdp).media.map(({ mid }) => mid);
    await this.addTrack(track, stream);
    await this.processLocal('content-add', async () => {
      const offer = await this.pc.createOffer();
      await this.pc.setLocalDescription(offer);
      const added = importFromSDP(offer.sdp).media.map(({ mid }) => mid).filter((mid) => !before.includes(mid));
      this.send('content-add', this.#only(added, offer, this.role));
    });
  }

  async onContentAccept(changes, done) {
    done();
    const answer = importFromSDP(this.pc.remoteDescription.sdp);
    const added = convertRequestToIntermediate(changes, this.peerRole).media;
    extend(answer, added);
    // Who begins DTLS was agreed on once.
    for (const media of answer.media) media.setup = added[0].setup;
    await this.pc.setRemoteDescription({ type: 'answer', sdp: exportToSDP(answer) });
    await this.processBufferedCandidates();
  }

  /** The contents of these names in a description of ours. */
  #only(names, { sdp }, creator) {
    const all = convertIntermediateToRequest(importFromSDP(sdp), this.role, this.transportType);
    const contents = all.contents.filter(({ name }) => names.includes(name));
    return { contents: contents.map((content) => ({ ...content, creator })), groups: all.groups };
  }
}

function extend(description, added) {
  description.media.push(...added);
  const bundle = description.groups.find(({ semantics }) => semantics === 'BUNDLE');
  bundle?.mids.push(...added.map(({ mid }) => mid));
}
