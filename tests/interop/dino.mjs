// Dino (https://dino.im), a real IM client, run unattended: its own display, bus, sound server and
// home. Its window is operated as a person would, its microphone is a tone, its speaker is measured.

import { execFile, spawn } from 'node:child_process';
import { readFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { toneShare } from './media.mjs';
import { accepts, sleep, start, until } from './process.mjs';

const run = promisify(execFile);

/**
 * Starts Dino and waits until it is online.
 * @param {{
 *   dir: string, server: object, person: {jid: string, password: string},
 *   contacts: string[], tone: number, camera?: boolean,
 * }} options `contacts` are the addresses that it has a chat with; `tone` is what its microphone
 *   picks up; with `camera` it has one that shows a moving ball
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
  #options;
  #env;
  /** Sockets: their paths have to be short. */
  #private = mkdtempSync(path.join(tmpdir(), 'dino-'));
  #running = [];
  #forwarder;
  #dino;
  #speaker;

  constructor(options) {
    this.#options = options;
    this.dir = options.dir;
    for (const part of ['home', 'data/dino', 'config', 'cache']) {
      mkdirSync(path.join(this.dir, part), { recursive: true });
    }
    this.#env = {
      PATH: process.env.PATH,
      LANG: 'C.UTF-8',
      HOME: path.join(this.dir, 'home'),
      XDG_DATA_HOME: path.join(this.dir, 'data'),
      XDG_CONFIG_HOME: path.join(this.dir, 'config'),
      XDG_CACHE_HOME: path.join(this.dir, 'cache'),
      XDG_RUNTIME_DIR: this.#private,
      DBUS_SESSION_BUS_ADDRESS: `unix:path=${this.#private}/bus`,
      PULSE_SERVER: `unix:${this.#private}/sound`,
      GDK_BACKEND: 'x11',
      GSK_RENDERER: 'cairo',
      GTK_A11Y: 'none',
      NO_AT_BRIDGE: '1',
      LIBGL_ALWAYS_SOFTWARE: '1',
      GSETTINGS_BACKEND: 'memory',
    };
  }

  async boot() {
    await Promise.all([this.#startDisplay(), this.#startBus(), this.#startSound(), this.#forward()]);
    if (this.#options.camera) await this.#startCamera();
    await this.#seed();
    await this.start();
    this.#speaker = new Speaker(this.#env);
  }

  /** Starts Dino itself and waits until it is online. */
  async start() {
    // It finds servers by DNS and trusts the system's authorities; both are its own here.
    const script = 'mount --make-rprivate / && mount --bind "$1/hosts" /etc/hosts'
      + ' && mount --bind "$1/resolv.conf" /etc/resolv.conf'
      + ' && mount --bind "$1/authorities.pem" /etc/ssl/certs/ca-certificates.crt'
      + ' && exec dino-im --print-xmpp=all';
    const rights = process.getuid() === 0 ? '-m' : '-Urm';
    this.#dino = this.#start('unshare', [rights, 'sh', '-c', script, 'dino', this.dir], 'dino.log');
    await until('Dino is online', () => {
      if (this.#dino.exited) throw new Error(`Dino ended:\n${this.log()}`);
      return /^<\S*:presence /m.test(this.log());
    }, { within: 60_000 }).catch((error) => {
      throw new Error(`${error.message}\n${this.log().slice(-3000)}`);
    });
  }

  /** What it wrote: every stanza, and complaints. */
  log() {
    return this.#dino.output;
  }

  /** Opens the chat with that address. */
  async open(address) {
    const [{ id }] = await this.#query(
      `select c.id from conversation c join jid j on j.id = c.jid_id where j.bare_jid = ${quoted(address)}`,
    );
    await this.#activate('open-conversation', `<int32 ${id}>`);
  }

  /** Calls of that address, the newest last. */
  calls() {
    return this.#query('select id, direction, state, encryption from call order by id');
  }

  /** A picture of its display. */
  async screenshot(file) {
    await run('import', ['-window', 'root', file], { env: this.#env, timeout: 10_000 });
  }

  async click(x, y) {
    await run('xdotool', ['mousemove', x, y, 'sleep', '0.15', 'click', '1'], { env: this.#env, timeout: 10_000 });
  }

  xdotool(...args) {
    return run('xdotool', args, { env: this.#env, timeout: 10_000 });
  }

  activate(...args) { return this.#activate(...args); }

  /** The share of what its speaker plays that is near `frequency`. */
  tone(frequency) {
    return this.#speaker.tone(frequency);
  }

  /** Ends it as a power cut would. */
  crash() {
    return this.#dino.crash();
  }

  async stop() {
    this.#speaker?.stop();
    for (const child of this.#running.reverse()) await child.stop(2000);
    this.#forwarder?.close();
    rmSync(this.#private, { recursive: true, force: true });
  }

  #start(command, args, log, env = this.#env) {
    const child = start(command, args, { env, log: path.join(this.dir, log) });
    this.#running.push(child);
    return child;
  }

  async #startDisplay() {
    const display = this.#start('Xvfb', [
      '-displayfd', '1', '-screen', '0', '1200x900x24', '-nolisten', 'tcp',
    ], 'display.log');
    const number = await until('there is a display', () => {
      if (display.exited) throw new Error(`Xvfb ended: ${display.output}`);
      return display.output.match(/^(\d+)\n/m)?.[1];
    }, { within: 20_000 });
    this.#env.DISPLAY = `:${number}`;
  }

  async #startBus() {
    const file = path.join(this.dir, 'bus.conf');
    // No service directories: nothing is started behind our back.
    writeFileSync(file, `<busconfig><type>session</type><listen>unix:path=${this.#private}/bus</listen>`
      + `<policy context='default'><allow send_destination='*' eavesdrop='true'/><allow eavesdrop='true'/>`
      + `<allow own='*'/></policy></busconfig>`);
    this.#start('dbus-daemon', [`--config-file=${file}`, '--nofork', '--nopidfile'], 'bus.log');
    await until('there is a bus', () => accepts2(`${this.#private}/bus`), { within: 20_000 });
  }

  async #startSound() {
    this.#start('pulseaudio', [
      '-n', '--daemonize=no', '--exit-idle-time=-1', '--use-pid-file=no', '--realtime=no', '--high-priority=no',
      '-L', `module-native-protocol-unix socket=${this.#private}/sound auth-anonymous=1 auth-cookie-enabled=0`,
      '-L', 'module-null-sink sink_name=speaker rate=48000',
      '-L', 'module-null-sink sink_name=mouth rate=48000',
      '-L', 'module-remap-source master=mouth.monitor source_name=microphone',
      '-L', `module-sine sink=mouth rate=48000 frequency=${this.#options.tone}`,
    ], 'sound.log');
    await until('there is sound', () => accepts2(`${this.#private}/sound`), { within: 20_000 });
    await run('pactl', ['set-default-source', 'microphone'], { env: this.#env, timeout: 10_000 });
  }

  async #startCamera() {
    this.#start('pipewire', [], 'pipewire.log');
    await until('there is PipeWire', () => accepts2(`${this.#private}/pipewire-0`), { within: 20_000 });
    this.#start('wireplumber', [], 'wireplumber.log');
    await sleep(1000);
    this.#start('gst-launch-1.0', [
      '-q', 'videotestsrc', 'is-live=true', 'pattern=ball', '!',
      'video/x-raw,format=YUY2,width=320,height=240,framerate=15/1', '!', 'pipewiresink', 'mode=provide',
      'stream-properties=props,media.class=Video/Source,node.name=camera,node.description=Camera',
    ], 'camera.log');
    await sleep(1000);
  }

  /** Dino connects to port 5222 of the domain: at an address of our own that is the server's. */
  async #forward() {
    const { server } = this.#options;
    const [a, b] = [process.pid >> 8 & 127, process.pid & 255];
    const address = `127.${64 + a % 128}.${b}.5`;
    this.#forwarder = net.createServer((client) => {
      const upstream = net.connect(server.ports.c2s, '127.0.0.1');
      client.pipe(upstream).pipe(client);
      client.on('error', () => upstream.destroy());
      upstream.on('error', () => client.destroy());
    });
    await new Promise((resolve, reject) => {
      this.#forwarder.once('error', reject).listen(5222, address, resolve);
    });
    const file = (name, text) => writeFileSync(path.join(this.dir, name), text);
    file('hosts', `127.0.0.1 localhost\n${address} ${server.host}\n`);
    file('resolv.conf', `nameserver ${address}\noptions attempts:1 timeout:1\n`);
    const certificate = readFileSync(path.join(server.dir, 'server.pem'), 'utf8');
    file('authorities.pem', certificate.match(/-----BEGIN CERT[^]*END CERTIFICATE-----\n/)[0]);
  }

  /** Its database makes itself; the account and the chats are put in. */
  async #seed() {
    const once = this.#start('dino-im', ['--version'], 'dino-version.log');
    await once.exit;
    this.version = once.output;
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
      `insert or replace into settings(key, value) values ('notifications', 'false')`,
    ].join(';\n'));
  }

  async #query(sql) {
    const { stdout } = await run('sqlite3', [
      '-json', '-cmd', '.timeout 5000', path.join(this.dir, 'data/dino/dino.db'), sql,
    ], { timeout: 10_000 });
    return stdout.trim() ? JSON.parse(stdout) : [];
  }

  async #activate(action, parameter) {
    await run('gdbus', [
      'call', '--session', '--dest', 'im.dino.Dino', '--object-path', '/im/dino/Dino',
      '--method', 'org.gtk.Actions.Activate', action, `[${parameter}]`, '{}',
    ], { env: this.#env, timeout: 10_000 });
  }
}

/** Listens to what a null sink would play. */
class Speaker {
  #child;
  #samples = [];

  constructor(env) {
    this.#child = spawn('parec', [
      '--device=speaker.monitor', '--format=s16le', `--rate=${RATE}`, '--channels=1', '--latency-msec=50',
    ], { env, stdio: ['ignore', 'pipe', 'ignore'] });
    let odd = Buffer.alloc(0);
    this.#child.stdout.on('data', (data) => {
      const all = Buffer.concat([odd, data]);
      const whole = all.length & ~1;
      const samples = [];
      for (let at = 0; at < whole; at += 2) samples.push(all.readInt16LE(at));
      odd = all.subarray(whole);
      this.#samples = [...this.#samples, ...samples].slice(-RATE / 2);
    });
  }

  tone(frequency) {
    return toneShare(this.#samples, RATE, frequency);
  }

  stop() {
    this.#child.kill();
  }
}

function accepts2(socket) {
  return new Promise((resolve) => {
    const connection = net.connect(socket);
    connection.once('connect', () => { connection.destroy(); resolve(true); });
    connection.once('error', () => resolve(false));
  });
}

const quoted = (text) => `'${text.replaceAll("'", "''")}'`;

const RATE = 16_000;
