// Dino (https://dino.im), an IM client, operated as by a person: with a display, a bus, a sound server
// and a home of its own, all private. Its microphone hears a tone, its speaker is measured.

import { execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { toneShare } from './media.mjs';
import { sleep, start, until } from './process.mjs';
import { HERE, Wire } from './wire.mjs';

/**
 * Starts Dino and waits until it is online.
 * @param {{
 *   dir: string, server: object, person: {jid: string, password: string}, contacts: string[],
 *   tone: number, camera?: boolean, network?: object,
 * }} options `contacts`: the addresses it has a chat with; `tone`: what its microphone hears; `network` of
 *   `islands.mjs`: where it runs, if not here
 */
export async function startDino(options) {
  const dino = new Dino(options);
  try {
    await dino.boot();
  } catch (error) {
    await dino.stop();
    throw error;
  }
  return dino;
}

class Dino {
  /** "Dino" and its number. */
  version = '';
  #options;
  #dir;
  /** For sockets: their paths have to be short. */
  #runtime = mkdtempSync(path.join(tmpdir(), 'dino-'));
  #env;
  /** Everything but Dino, the latest last. */
  #helpers = [];
  #camera;
  #forwarder;
  /** The address that its server has for it. */
  #address = `127.64.${(process.pid >> 8) & 255}.${process.pid & 255}`;
  #dino;
  #speaker;
  /** The last call that was looked at, in its database. */
  #seen = 0;

  constructor(options) {
    this.#options = options;
    this.#dir = options.dir;
    const [home, data, config, cache] = ['home', 'data', 'config', 'cache'].map((name) => {
      const made = path.join(this.#dir, name);
      mkdirSync(made, { recursive: true });
      return made;
    });
    this.#env = {
      PATH: process.env.PATH,
      LANG: 'C.UTF-8',
      HOME: home,
      XDG_DATA_HOME: data,
      XDG_CONFIG_HOME: config,
      XDG_CACHE_HOME: cache,
      XDG_RUNTIME_DIR: this.#runtime,
      DBUS_SESSION_BUS_ADDRESS: `unix:path=${this.#runtime}/bus`,
      PULSE_SERVER: `unix:${this.#runtime}/sound`,
      GDK_BACKEND: 'x11',
      GSK_RENDERER: 'cairo',
      GSETTINGS_BACKEND: 'memory',
      GTK_A11Y: 'none',
      LIBGL_ALWAYS_SOFTWARE: '1',
      NO_AT_BRIDGE: '1',
    };
  }

  async boot() {
    await Promise.all([this.#startDisplay(), this.#startBus(), this.#startSound(), this.#forward()]);
    if (this.#options.camera) await this.#startPipeWire();
    await this.#seed();
    await this.#start();
    this.#speaker = new Speaker(this.#env);
  }

  /** Every stanza, sent and received, and what it complains of. */
  log() {
    return this.#dino.output;
  }

  /** The same without the namespace that it writes before every name. */
  plainLog() {
    return this.log().replaceAll(/\{[^}]*\}:/g, '');
  }

  /** Opens the chat with that address and presses its call button. */
  async dial(address, { video = false } = {}) {
    await this.#openChat(address);
    await until('Dino calls', async () => {
      if (!await this.#pressCallButton()) return false;
      // It has to be drawn before it takes clicks.
      await sleep(300);
      const menu = await this.#window(isMenu);
      if (!menu) return false;
      await this.#click(menu.x + menu.width / 2, menu.y + menu.height * (video ? 0.7 : 0.3));
      return this.#appears(isCall, 3000);
    }, { within: 40_000 });
    await this.#newCalls();
  }

  /** Whether the chat with that address has a call button. */
  async offersCall(address) {
    await this.#openChat(address);
    if (!await this.#pressCallButton()) return false;
    await this.#xdotool('key', 'Escape');
    await until('the menu is closed', async () => !await this.#window(isMenu));
    return true;
  }

  /** Waits until somebody calls. */
  async incoming(patience = 15_000) {
    const [call] = await until('Dino is called', async () => {
      const calls = await this.#newCalls();
      return calls.length > 0 && calls;
    }, { within: patience });
    // As the buttons of the notification do.
    const answer = (action) => this.#activate(action, `<(${call.conversation}, ${call.id})>`);
    return { accept: () => answer('accept-call'), reject: () => answer('reject-call') };
  }

  /** Whether there is a window with a call, ringing or not. */
  async inCall() {
    return Boolean(await this.#window(isCall));
  }

  /** Presses the red button. */
  async hangUp() {
    await until('Dino has hung up', async () => {
      await this.#press(BUTTONS.hangUp);
      return until('', async () => !(await this.inCall()), { within: 1500 }).catch(() => false);
    }, { within: 20_000 });
  }

  /** Turns the microphone off, or on again. */
  pressMicrophone() {
    return this.#press(BUTTONS.microphone);
  }

  /** Turns the camera on or off. */
  pressCamera() {
    return this.#press(BUTTONS.camera);
  }

  /** How it counts the calls of that state: 5 declined, 6 missed, 7 failed. */
  async callsIn(state) {
    return (await this.#query(`select id from call where state = ${state}`)).length;
  }

  /** The share of what its speaker plays that is near `frequency`, 0 to 1. */
  tone(frequency) {
    return this.#speaker.tone(frequency);
  }

  /**
   * What the call window shows: the share of it that is green, as the picture of Chromium's
   * made-up camera is, the share that is black, as Dino's own is, and the share that changes within half
   * a second.
   */
  async picture() {
    const call = await this.#window(isCall);
    if (!call) return { green: 0, black: 0, moving: 0 };
    const before = await this.#capture(call);
    await sleep(500);
    const now = await this.#capture(call);
    let [green, black, moving] = [0, 0, 0];
    for (let at = 0; at + 2 < now.length; at += 3) {
      const [red, g, blue] = [now[at], now[at + 1], now[at + 2]];
      if (g > 80 && red < g / 2 && blue < g / 2) green += 1;
      if (Math.max(red, g, blue) < 16) black += 1;
      if (Math.abs(g - before[at + 1]) > 40) moving += 1;
    }
    const pixels = now.length / 3;
    return { green: green / pixels, black: black / pixels, moving: moving / pixels };
  }

  /** A camera that shows a ball. PipeWire's sink feeds one call for some seconds: have a new one for each. */
  async plugInCamera() {
    await this.#camera?.stop(2000);
    await until('the old camera is gone', async () => !(await this.#hasCamera()));
    this.#camera = this.#help('gst-launch-1.0', [
      '-q', 'videotestsrc', 'is-live=true', 'pattern=ball', '!',
      'video/x-raw,format=YUY2,width=320,height=240,framerate=15/1', '!', 'pipewiresink', 'mode=provide',
      'stream-properties=props,media.class=Video/Source,node.name=camera,node.description=Camera',
    ], 'camera.log');
    await until('there is a camera', () => this.#hasCamera(), { within: 20_000, every: 200 });
    // Dino has to notice, too.
    await sleep(1000);
  }

  /** A picture of its display, for people. */
  async screenshot(file) {
    await run('gst-launch-1.0', [
      '-q', 'ximagesrc', 'use-damage=false', 'num-buffers=1', '!', 'videoconvert', '!', 'pngenc', '!',
      'filesink', `location=${file}`,
    ], { env: this.#env, timeout: 10_000 });
  }

  /** Ends it as a power cut would. */
  crash() {
    return this.#dino.crash();
  }

  async stop() {
    this.#speaker?.stop();
    await this.#dino?.stop(2000);
    for (const helper of this.#helpers.reverse()) await helper.stop(2000);
    await this.#forwarder?.close();
    rmSync(this.#runtime, { recursive: true, force: true });
  }

  async #start() {
    // It finds servers by DNS and trusts the authorities of the system: here both are ours.
    const script = 'mount --make-rprivate /'
      + ' && mount --bind "$1/hosts" /etc/hosts && mount --bind "$1/resolv.conf" /etc/resolv.conf'
      + ' && mount --bind "$1/authorities.pem" /etc/ssl/certs/ca-certificates.crt'
      + ' && exec dino-im --print-xmpp=all';
    const rights = process.getuid() === 0 ? '-m' : '-Urm';
    const inside = this.#options.network?.inside ?? [];
    const [command, ...args] = [...inside, 'unshare', rights, 'sh', '-c', script, 'dino', this.#dir];
    this.#dino = start(command, args, {
      env: this.#env, log: path.join(this.#dir, 'dino.log'),
    });
    await until('Dino is online', () => {
      if (this.#dino.exited) throw new Error(`Dino ended:\n${this.log()}`);
      return /^<\S*:presence /m.test(this.log());
    }, { within: 60_000 }).catch((error) => {
      throw new Error(`${error.message}\n${this.log().slice(-3000)}`);
    });
  }

  async #openChat(address) {
    const [{ id }] = await this.#query(
      `select c.id from conversation c join jid j on j.id = c.jid_id where j.bare_jid = ${quoted(address)}`,
    );
    await this.#activate('open-conversation', `<int32 ${id}>`);
  }

  /** Presses where the call button of a chat is. Whether its menu is there then. */
  async #pressCallButton() {
    const main = await this.#window(isMain);
    if (!main) return false;
    await this.#click(main.x + main.width - CALL_BUTTON.fromRight, main.y + CALL_BUTTON.y);
    return Boolean(await this.#appears(isMenu, 2000));
  }

  #help(command, args, log) {
    const helper = start(command, args, { env: this.#env, log: path.join(this.#dir, log) });
    this.#helpers.push(helper);
    return helper;
  }

  async #startDisplay() {
    const screen = ['-screen', '0', '1200x900x24', '-nolisten', 'tcp'];
    const display = this.#help('Xvfb', ['-displayfd', '1', ...screen], 'display.log');
    const number = await until('there is a display', () => {
      if (display.exited) throw new Error(`Xvfb ended: ${display.output}`);
      return display.output.match(/^(\d+)\n/m)?.[1];
    }, { within: 20_000 });
    this.#env.DISPLAY = `:${number}`;
  }

  async #startBus() {
    const file = path.join(this.#dir, 'bus.conf');
    // Without service directories: nothing is started behind our back.
    writeFileSync(file, `<busconfig><type>session</type><listen>unix:path=${this.#runtime}/bus</listen>`
      + `<policy context='default'><allow send_destination='*' eavesdrop='true'/><allow eavesdrop='true'/>`
      + `<allow own='*'/></policy></busconfig>`);
    this.#help('dbus-daemon', [`--config-file=${file}`, '--nofork', '--nopidfile'], 'bus.log');
    await until('there is a bus', () => listens(`${this.#runtime}/bus`), { within: 20_000 });
  }

  async #startSound() {
    this.#help('pulseaudio', [
      '-n', '--daemonize=no', '--use-pid-file=no', '--exit-idle-time=-1', '--realtime=no', '--high-priority=no',
      '-L', `module-native-protocol-unix socket=${this.#runtime}/sound auth-anonymous=1 auth-cookie-enabled=0`,
      '-L', 'module-null-sink sink_name=speaker rate=48000',
      '-L', 'module-null-sink sink_name=mouth rate=48000',
      '-L', `module-sine sink=mouth rate=48000 frequency=${this.#options.tone}`,
      '-L', 'module-remap-source master=mouth.monitor source_name=microphone',
    ], 'sound.log');
    await until('there is sound', () => listens(`${this.#runtime}/sound`), { within: 20_000 });
    for (const [kind, name] of [['source', 'microphone'], ['sink', 'speaker']]) {
      await run('pactl', [`set-default-${kind}`, name], { env: this.#env, timeout: 10_000 });
    }
  }

  async #startPipeWire() {
    this.#help('pipewire', [], 'pipewire.log');
    await until('there is PipeWire', () => listens(`${this.#runtime}/pipewire-0`), { within: 20_000 });
    this.#help('wireplumber', [], 'wireplumber.log');
    await this.plugInCamera();
  }

  async #hasCamera() {
    const { stdout } = await run('pw-cli', ['ls', 'Node'], { env: this.#env, timeout: 10_000 });
    return stdout.includes('node.name = "camera"');
  }

  /** It connects to port 5222 of the domain, at an address of its own; that is the server's. */
  async #forward() {
    const { server, network } = this.#options;
    const address = this.#address;
    const place = { port: 5222, host: address };
    if (network) {
      await network.reach([], [[place, server.ports.c2s]]);
    } else {
      this.#forwarder = new Wire(place, { port: server.ports.c2s, host: HERE });
      await this.#forwarder.opened;
    }
    const file = (name, text) => writeFileSync(path.join(this.#dir, name), text);
    file('hosts', `127.0.0.1 localhost\n${address} ${server.host}\n`);
    // Nobody answers there, at once.
    file('resolv.conf', `nameserver ${address}\noptions attempts:1 timeout:1\n`);
    const pem = readFileSync(path.join(server.dir, 'server.pem'), 'utf8');
    file('authorities.pem', pem.match(/-----BEGIN CERT[^]*END CERTIFICATE-----\n/)[0]);
  }

  /** Its database makes itself; then the account and the chats are put in. */
  async #seed() {
    const once = this.#help('dino-im', ['--version'], 'version.log');
    await once.exit;
    this.version = once.output.trim();
    const { person, contacts } = this.#options;
    const now = Math.floor(Date.now() / 1000);
    await this.#query([
      `insert into account(bare_jid, resourcepart, password, alias, enabled, roster_version, mam_earliest_synced)
        values (${quoted(person.jid)}, 'dino', ${quoted(person.password)}, '', 1, '', 0)`,
      ...contacts.flatMap((contact) => [
        `insert into jid(bare_jid) values (${quoted(contact)})`,
        `insert into conversation(account_id, jid_id, active, last_active, active_last_changed, type, encryption,
            read_up_to, read_up_to_item, notification, send_typing, send_marker, pinned)
          select a.id, j.id, 1, ${now}, ${now}, 0, 0, 0, -1, 0, 0, 0, 0 from account a, jid j
            where j.bare_jid = ${quoted(contact)}`,
      ]),
    ].join(';\n'));
  }

  /** Calls since this was asked last. */
  async #newCalls() {
    const calls = await this.#query(
      `select call.id, conversation.id as conversation from call
        join conversation on conversation.jid_id = call.counterpart_id
        where call.id > ${this.#seen} order by call.id`,
    );
    this.#seen = calls.at(-1)?.id ?? this.#seen;
    return calls;
  }

  async #query(sql) {
    const file = path.join(this.#env.XDG_DATA_HOME, 'dino/dino.db');
    const { stdout } = await run('sqlite3', ['-json', '-cmd', '.timeout 5000', file, sql], { timeout: 10_000 });
    return stdout.trim() ? JSON.parse(stdout) : [];
  }

  async #activate(action, parameter) {
    await run('gdbus', [
      'call', '--session', '--dest', 'im.dino.Dino', '--object-path', '/im/dino/Dino',
      '--method', 'org.gtk.Actions.Activate', action, `[${parameter}]`, '{}',
    ], { env: this.#env, timeout: 10_000 });
  }

  /** The first visible window that fits. */
  async #window(fits) {
    const { stdout } = await this.#xdotool('search', '--onlyvisible', '--name', '', 'getwindowgeometry', '--shell', '%@')
      // One of them went away in between.
      .catch(() => ({ stdout: '' }));
    return stdout.split('WINDOW=').slice(1).map((text) => {
      const [x, y, width, height] = ['X', 'Y', 'WIDTH', 'HEIGHT']
        .map((name) => Number(text.match(new RegExp(`^${name}=(-?\\d+)$`, 'm'))?.[1]));
      return { x, y, width, height };
    }).find(fits);
  }

  async #appears(fits, patience) {
    return until('', () => this.#window(fits), { within: patience }).catch(() => undefined);
  }

  async #click(x, y) {
    await this.#xdotool('mousemove', x, y, 'sleep', '0.2', 'click', '1');
  }

  /** Presses a button of the call window. */
  async #press(fromMiddle) {
    const call = await this.#window(isCall);
    if (!call) return;
    const [x, y] = [call.x + call.width / 2, call.y + call.height / 2];
    // The buttons hide until the pointer moves.
    for (const step of [0, 10, 20]) await this.#xdotool('mousemove', x + step, y + step, 'sleep', '0.1');
    await sleep(400);
    await this.#click(x + fromMiddle, call.y + call.height - BUTTONS.fromBottom);
  }

  #xdotool(...args) {
    const words = args.map((arg) => (typeof arg === 'number' ? Math.round(arg) : arg).toString());
    return run('xdotool', words, { env: this.#env, timeout: 10_000 });
  }

  /** The colours of a part of the display, three bytes a pixel. */
  async #capture({ x, y, width, height }) {
    const part = [`startx=${x}`, `starty=${y}`, `endx=${x + width - 1}`, `endy=${y + height - 1}`];
    const { stdout } = await run('gst-launch-1.0', [
      '-q', 'ximagesrc', 'use-damage=false', 'show-pointer=false', 'num-buffers=1', ...part, '!',
      'videoconvert', '!', 'video/x-raw,format=RGB', '!', 'fdsink', 'fd=1',
    ], { env: this.#env, timeout: 10_000, encoding: 'buffer', maxBuffer: 16e6 });
    return stdout;
  }
}

/** Listens to what the speaker plays. */
class Speaker {
  #recorder;
  #last = Buffer.alloc(0);

  constructor(env) {
    this.#recorder = spawn('parec', [
      '--device=speaker.monitor', '--format=s16le', `--rate=${RATE}`, '--channels=1', '--latency-msec=50',
    ], { env, stdio: ['ignore', 'pipe', 'ignore'] });
    this.#recorder.stdout.on('data', (data) => {
      const all = Buffer.concat([this.#last, data]);
      // Half a second, in whole samples.
      this.#last = all.subarray(Math.max(0, all.length - RATE) & ~1);
    });
  }

  tone(frequency) {
    const samples = Array.from({ length: this.#last.length >> 1 }, (_, i) => this.#last.readInt16LE(2 * i));
    // A tone with gaps, as it is on a busy machine, has no phase of its own over all of it.
    const shares = [];
    for (let at = 0; at + PIECE <= samples.length; at += PIECE) {
      const share = toneShare(samples.slice(at, at + PIECE), RATE, frequency);
      if (share > 0) shares.push(share);
    }
    return shares.reduce((sum, share) => sum + share, 0) / Math.max(1, shares.length);
  }

  stop() {
    this.#recorder.kill();
  }
}

/** Whether somebody accepts connections at this socket. */
function listens(file) {
  return new Promise((resolve) => {
    const socket = net.connect(file);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

const quoted = (text) => `'${text.replaceAll("'", "''")}'`;
const run = promisify(execFile);

// Dino 0.4 in a display without window manager: each window has its own size.
const isMain = ({ width, height }) => width === 1200 && height < 900;
const isCall = ({ width, height }) => width > 500 && width < 1100 && height > 300;
const isMenu = ({ width, height }) => width > 40 && width < 500 && height > 40 && height < 300;
const CALL_BUTTON = { fromRight: 222, y: 28 };
const BUTTONS = { microphone: -70, camera: 0, hangUp: 70, fromBottom: 51 };

const RATE = 16_000;
/** 50 ms. */
const PIECE = RATE / 20;
