// What a person does with the page, and what she sees and hears: in either browser, with a person in
// the other one at the other end.

import assert from 'node:assert/strict';
import test, { after } from 'node:test';

import { PAGE_TONE, PEER_TONE } from './expect.mjs';
import { freePorts, sleep, until } from './process.mjs';
import { HERE, Wire } from './wire.mjs';
import { testWorld } from './world.mjs';

const [port] = await freePorts(1);
const wire = new Wire({ port, host: HERE });
const people = ['juliet', 'romeo', 'nurse'];
const world = testWorld({
  config: {
    http: { websocket: `ws://127.0.0.1:${port}/ws` },
    access: { mode: 'contacts', guests: ['juliet@localhost'] },
  },
});
world.before(async () => {
  wire.to = { port: world.server.ports.http, host: HERE };
  await wire.opened;
  for (const name of people) await world.server.addUser(name, PASSWORD);
  await world.server.befriend('juliet', 'romeo');
  await world.server.befriend('juliet', 'nurse');
});
after(() => wire.close());

const PASSWORD = 'wherefore';
const account = (name) => ({ jid: `${name}@localhost`, password: PASSWORD });
const row = (name) => `#contacts li[data-jid^=${name}]`;

for (const [hers, his] of [['chromium', 'firefox'], ['firefox', 'chromium']]) {
  test(`a person at the page in ${hers}`, async (t) => {
    const juliet = await world.page(undefined, { tone: PAGE_TONE, browser: hers, carry: true });
    t.after(() => juliet.close().catch(() => {})); // Where a step failed.
    let romeo;
    let broken = false;
    /** One thing after the other: what follows a failure is not tried. */
    const step = (name, action) => t.test(name, async () => {
      if (broken) throw new Error('a step before failed');
      broken = true;
      await action();
      broken = false;
    });

    await step('is told of a wrong password, and logs in', async () => {
      await juliet.page.fill('#jid', 'juliet@localhost');
      await juliet.page.fill('#password', 'a rose');
      await juliet.press('#login button[type=submit]');
      await juliet.says(/^Wrong address or password\.$/);
      await juliet.shows('#login');
      await juliet.logIn('juliet@localhost', PASSWORD);
      await juliet.shows('#who', /^juliet@localhost/);
      await juliet.hides('#login');
    });

    await step('sees a contact come online', async () => {
      await juliet.shows(row('romeo'), /romeo.*Offline/s);
      await juliet.hides(`${row('romeo')} button`);
      romeo = await world.page(account('romeo'), { tone: PEER_TONE, browser: his, carry: true });
      await juliet.shows(row('romeo'), /romeo.*Available/s);
      await juliet.shows(`${row('romeo')} [data-kind=video]`, /^Call romeo with video/);
      await juliet.shows(row('nurse'), /nurse.*Offline/s);
    });

    await step('calls him, and both see and hear each other', async () => {
      await juliet.press(`${row('romeo')} [data-kind=video]`);
      await juliet.says(/^It rings at romeo/);
      await romeo.shows('#incoming', /juliet calls with video/);
      await romeo.shows('#accept', /^Accept with video/);
      await romeo.accept();
      await juliet.says(/^In a call with romeo/);
      await romeo.says(/^In a call with juliet/);
      await hearEachOther(juliet, romeo);
      for (const one of [juliet, romeo]) {
        await one.moves('#tiles video');
        await one.moves('#local');
        await one.shows('#phase', /^00:\d\d$/);
        assert.ok(await one.packetsWithin(1000) > 10, 'packets of sound arrive');
      }
    });

    await step('mutes herself, which he sees and hears', async () => {
      await juliet.press('#mute-audio');
      await juliet.shows('#mute-audio', /^Unmute$/);
      await romeo.shows('#notes', /juliet is muted/);
      await until('he hears silence', async () => await romeo.tone(PAGE_TONE) < 0.1);
      await until('she hears him all the while', async () => await juliet.tone(PEER_TONE) > 0.5);
      await juliet.press('#mute-audio');
      await romeo.hides('#notes');
      await until('he hears her again', async () => await romeo.tone(PAGE_TONE) > 0.5);
    });

    await step('turns her camera off and on', async () => {
      await juliet.press('#mute-video');
      await juliet.shows('#mute-video', /^Start camera$/);
      await juliet.hides('#local-tile');
      await romeo.hides('#tiles video');
      await juliet.moves('#tiles video');
      await juliet.press('#mute-video');
      await juliet.moves('#local');
      await romeo.moves('#tiles video');
    });

    await step('shows her screen, and her camera again', async () => {
      await juliet.press('#share');
      await juliet.shows('#local-tile', /Your screen/);
      await juliet.shows('#share', /^Stop sharing$/);
      const isBlue = (picture) => picture && picture.blue > 150 && picture.red < 80;
      await until('he sees it', async () => isBlue(await romeo.picture('#tiles video')), { within: 15_000 });
      await romeo.moves('#tiles video');
      await juliet.press('#share');
      await juliet.shows('#share', /^Share screen$/);
      await juliet.moves('#local');
      await until('he sees her again', async () => {
        const picture = await romeo.picture('#tiles video');
        return picture && !isBlue(picture);
      });
      await romeo.moves('#tiles video');
    });

    await step('puts the call on hold and resumes it', async () => {
      await juliet.press('#hold');
      await romeo.shows('#notes', /juliet put the call on hold/);
      await romeo.hides('#tiles video');
      await until('he hears nothing', async () => await romeo.tone(PAGE_TONE) < 0.1);
      await juliet.press('#hold');
      await romeo.hides('#notes');
      await hearEachOther(juliet, romeo);
      await romeo.moves('#tiles video');
    });

    await step('looks at the network', async () => {
      await juliet.press('#show-network');
      await juliet.shows('#network-path', /Direct.*bit\/s/s);
      await juliet.shows('#network-flows', /sound.*opus.*bit\/s/s);
      await juliet.shows('#network-flows', /picture.*bit\/s/s);
      await juliet.shows('#network-pairs tr.selected', /host udp.*in use/s);
      await juliet.press('#network-close');
      await juliet.hides('#network');
    });

    await step('keeps the call while the connections of both are cut for five seconds', async () => {
      wire.cut();
      await juliet.says(/^The connection is away/);
      await romeo.says(/^The connection is away/);
      const heard = await Promise.all([juliet.packetsWithin(5000), romeo.packetsWithin(5000)]);
      for (const packets of heard) assert.ok(packets > 50, `${heard} packets of sound in 5 s`);
      wire.mend();
      for (const one of [juliet, romeo]) {
        await one.says(/^Connected again/, 20_000);
        await one.shows('#phase', /^\d\d:\d\d$/);
      }
      // Words about the call arrive again, both ways.
      for (const [one, other, name] of [[juliet, romeo, 'juliet'], [romeo, juliet, 'romeo']]) {
        await one.press('#mute-audio');
        await other.shows('#notes', new RegExp(`${name} is muted`));
        await one.press('#mute-audio');
        await other.hides('#notes');
      }
      await hearEachOther(juliet, romeo);
    });

    await step('loses her camera and her microphone, and finds others', async () => {
      await unplug(juliet, 'video');
      await juliet.says(/^The camera went away; another is used\.$/);
      await romeo.moves('#tiles video');

      await unplug(juliet, 'video', { last: true });
      await juliet.says(/^The camera went away\.$/);
      await juliet.hides('#local-tile');
      await unplug(juliet, 'audio', { last: true });
      await juliet.says(/^The microphone went away\.$/);
      await until('he hears nothing', async () => await romeo.tone(PAGE_TONE) < 0.1);
      await until('she still hears him', async () => await juliet.tone(PEER_TONE) > 0.5);

      // Muted is muted, whichever microphone it is.
      await juliet.press('#mute-audio');
      await plugIn(juliet);
      await juliet.says(/^The microphone went away; another is used\.$/);
      assert.ok(await romeo.packetsWithin(1000) > 10, 'something arrives');
      assert.ok(await romeo.tone(PAGE_TONE) < 0.1, 'but silence');
      await juliet.press('#mute-audio');
      await hearEachOther(juliet, romeo);
      await juliet.press('#mute-video');
      await romeo.moves('#tiles video');
    });

    await step('hangs up', async () => {
      await juliet.hangUp();
      for (const one of [juliet, romeo]) {
        await one.says(/^The call is over: hung up\.$/);
        await one.hides('#call');
        await one.shows('#contacts');
        assert.equal(await one.page.evaluate(() => globalThis.lastCall.localStream.getTracks().length), 0, 'no device is open');
      }
    });

    await step('declines his call, of which she reads in either language', async () => {
      await romeo.press(`${row('juliet')} [data-kind=video]`);
      await juliet.shows('#incoming', /romeo calls with video.*Microphone.*Accept with video/s);
      for (const expected of [/romeo 邀请视频通话.*麦克风.*视频接听/s, /romeo calls with video.*Microphone.*Accept with video/s]) {
        // The button is behind the dialog.
        await juliet.page.evaluate(() => document.getElementById('language').click());
        await juliet.shows('#incoming', expected);
      }
      await juliet.decline();
      await juliet.hides('#incoming');
      await romeo.says(/^The call is over: declined\.$/);
      await romeo.hides('#call');
    });

    await step('sees it when he gives up', async () => {
      await romeo.press(`${row('juliet')} [data-kind=audio]`);
      await juliet.shows('#incoming', /romeo calls/);
      await romeo.hangUp();
      await juliet.hides('#incoming');
      await juliet.says(/^The call is over: cancelled\.$/);
    });

    await step('is called by a guest who followed a link', async () => {
      const guest = await world.page(undefined, { tone: PEER_TONE, browser: his, link: '#call=juliet@localhost' });
      await guest.shows('#start-title', /^Call juliet@localhost$/);
      await guest.press('#visit-video');
      await juliet.shows('#caller', /^A guest calls with video$/);
      await juliet.accept();
      await juliet.says(/^In a call with a guest\.$/i);
      await guest.says(/^In a call with juliet@localhost/);
      await hearEachOther(juliet, guest);
      await guest.moves('#tiles video');
      await juliet.moves('#tiles video');
      await guest.hangUp();
      await juliet.says(/^The call is over: hung up\.$/);
      await guest.close();
    });

    await step('sees him leave', async () => {
      await romeo.leave();
      await juliet.shows(row('romeo'), /romeo.*Offline/s);
      await juliet.hides(`${row('romeo')} button`);
      await juliet.leave();
    });
  });
}

/** Each hears the other's tone. */
async function hearEachOther(one, other) {
  await until('the other hears her', async () => await other.tone(PAGE_TONE) > 0.5, { within: 15_000 });
  await until('she hears the other', async () => await one.tone(PEER_TONE) > 0.5, { within: 15_000 });
}

/**
 * A device goes away while it is used. What can be unplugged here is a track from a connection of
 * the page with itself: the browser ends it as that of a device. With `last` there is no other.
 */
function unplug(device, kind, { last = false } = {}) {
  return device.page.evaluate(async ([wanted, none]) => {
    const { mediaDevices: devices } = navigator;
    devices.real ??= devices.getUserMedia;
    const [near, far] = [new RTCPeerConnection(), new RTCPeerConnection()];
    near.onicecandidate = ({ candidate }) => far.addIceCandidate(candidate);
    far.onicecandidate = ({ candidate }) => near.addIceCandidate(candidate);
    const agree = async () => {
      await near.setLocalDescription();
      await far.setRemoteDescription(near.localDescription);
      await far.setLocalDescription();
      await near.setRemoteDescription(far.localDescription);
    };
    const arrived = new Promise((resolve) => {
      far.ontrack = ({ track }) => resolve(track);
    });
    const source = await devices.real({ [wanted]: true });
    const sender = near.addTransceiver(source.getTracks()[0]);
    await agree();
    const track = await arrived;
    devices.getUserMedia = async () => new MediaStream([track]);
    await globalThis.campana.call.useDevice(wanted);

    devices.getUserMedia = none
      ? () => Promise.reject(new DOMException('none left', 'NotFoundError'))
      : devices.real;
    sender.stop();
    await agree();
    near.close();
    source.getTracks()[0].stop();
  }, [kind, last]);
}

/** One is plugged in again. */
function plugIn(device) {
  return device.page.evaluate(() => {
    navigator.mediaDevices.getUserMedia = navigator.mediaDevices.real;
    navigator.mediaDevices.dispatchEvent(new Event('devicechange'));
  });
}
