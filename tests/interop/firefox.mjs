// Firefox with the real page: what `browser.mjs` does, in the other engine. Debian's own, driven
// over WebDriver BiDi; a page has the same few methods in either.

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import puppeteer from 'puppeteer-core';

import { openDevice, trusted } from './browser.mjs';
import { ownAddress, start, until, within } from './process.mjs';

/**
 * Starts Debian's Firefox without a window and without a word to the outside.
 * @param {{network?: object}} [options] `network` of `elsewhere.mjs`: where it runs, if not here
 */
export async function launchFirefox({ network } = {}) {
  const dir = mkdtempSync(path.join(tmpdir(), 'campana-firefox-'));
  const sound = await startSound(dir);
  const executable = process.env.FIREFOX ?? '/usr/bin/firefox-esr';
  const browser = await puppeteer.launch({
    browser: 'firefox', executablePath: network?.program(executable) ?? executable,
    debuggingPort: network?.debuggingPort,
    // All or none: Firefox knows no list of keys.
    acceptInsecureCerts: trusted.length > 0,
    headless: true, userDataDir: path.join(dir, 'profile'), extraPrefsFirefox: preferences(),
    handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false, timeout: 60_000,
    env: { ...process.env, PULSE_SERVER: sound.server },
  });
  const child = browser.process();
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const context = { newPage: async () => new FirefoxPage(await browser.newPage()) };
  return {
    context,
    /**
     * Opens the page and logs in.
     * @param {{url: string, jid?: string, password?: string, tone?: number}} who a guest without jid
     */
    device: (who) => openDevice(context, who),
    async close() {
      // Where the network that it was reached by is gone, it does not hear that it shall end.
      await within('Firefox ends', browser.close(), 10_000).catch(() => {});
      kill();
      process.off('exit', kill);
      await sound.stop();
      rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** A loudspeaker nobody hears: without one, Firefox lets no sound flow in a page. */
async function startSound(dir) {
  const socket = path.join(dir, 'sound');
  const daemon = start('pulseaudio', [
    '-n', '--daemonize=no', '--use-pid-file=no', '--exit-idle-time=-1', '--realtime=no', '--high-priority=no',
    '-L', `module-native-protocol-unix socket=${socket} auth-anonymous=1 auth-cookie-enabled=0`,
    '-L', 'module-null-sink sink_name=speaker rate=48000',
  ], { log: path.join(dir, 'sound.log'), env: { ...process.env, HOME: dir, XDG_RUNTIME_DIR: dir } });
  await until('there is sound', () => {
    if (daemon.exited) throw new Error(`pulseaudio: ${daemon.output}`);
    return existsSync(socket);
  }, { within: 20_000 });
  return { server: `unix:${socket}`, stop: () => daemon.stop() };
}

/** What a person would click away, what reaches outside, and what hides addresses. */
function preferences() {
  return {
    // A microphone and a camera that are always there and that nobody has to allow.
    'media.navigator.streams.fake': true,
    'media.navigator.permission.disabled': true,
    'media.getusermedia.insecure.enabled': true,
    'media.devices.insecure.enabled': true,
    'media.autoplay.default': 0,
    'media.autoplay.blocking_policy': 0,
    'media.autoplay.block-webaudio': false,
    'media.block-autoplay-until-in-foreground': false,
    // Addresses as they are; loopback where there is no other.
    'media.peerconnection.ice.obfuscate_host_addresses': false,
    'media.peerconnection.ice.loopback': ownAddress() === '127.0.0.1',
    'media.peerconnection.ice.tcp': true,
    // Tabs in the background run as fast as the one in front.
    'dom.timeout.enable_budget_timer_throttling': false,
    'dom.min_background_timeout_value': 4,
    'dom.min_background_timeout_value_without_budget_throttling': 4,
    'media.suspend-bkgnd-video.enabled': false,
    'media.hardware-video-decoding.enabled': false,
    'layers.acceleration.disabled': true,
    // Nothing is fetched that no test asked for.
    'media.gmp-manager.url': '',
    'media.gmp-manager.updateEnabled': false,
    'media.gmp-provider.enabled': false,
    'app.normandy.enabled': false,
    'app.update.disabledForTesting': true,
    'browser.region.network.url': '',
    'browser.safebrowsing.update.enabled': false,
    'captivedetect.canonicalURL': '',
    'network.captive-portal-service.enabled': false,
    'network.connectivity-service.enabled': false,
    'network.dns.disablePrefetch': true,
    'network.prefetch-next': false,
    'network.trr.mode': 5,
    'security.OCSP.enabled': 0,
    'services.settings.server': 'data:,none',
    'toolkit.telemetry.enabled': false,
    'toolkit.telemetry.server': '',
    'datareporting.policy.dataSubmissionEnabled': false,
    'extensions.update.enabled': false,
    'extensions.getAddons.cache.enabled': false,
  };
}

/** A tab, with the methods that `WebDevice` and the tests use, under the names they have there. */
class FirefoxPage {
  constructor(page) {
    this.page = page;
  }

  on(event, listener) {
    this.page.on(event, listener);
    return this;
  }

  once(event, listener) {
    this.page.once(event, listener);
    return this;
  }

  addInitScript(script, argument) {
    return this.page.evaluateOnNewDocument(script, argument);
  }

  goto(url) {
    return this.page.goto(url, { waitUntil: 'load', timeout: PATIENCE });
  }

  reload() {
    return this.page.reload({ waitUntil: 'load', timeout: PATIENCE });
  }

  evaluate(script, argument) {
    return this.page.evaluate(script, argument);
  }

  /** As a person who waits until the field is there. */
  async fill(selector, value, { timeout = PATIENCE } = {}) {
    await this.page.waitForSelector(selector, { visible: true, timeout });
    await this.page.$eval(selector, (field, text) => {
      field.focus();
      field.value = text;
      field.dispatchEvent(new Event('input', { bubbles: true }));
      field.dispatchEvent(new Event('change', { bubbles: true }));
    }, value);
  }

  /** As a person who waits until the button is there, and can be pressed. */
  async click(selector, { timeout = PATIENCE } = {}) {
    // In a tab behind another nothing is drawn, and what is not drawn is waited for in vain.
    await this.page.bringToFront();
    await this.page.locator(selector).setTimeout(timeout).click();
  }

  async textContent(selector, { timeout = PATIENCE } = {}) {
    await this.page.waitForSelector(selector, { timeout });
    return this.page.$eval(selector, (element) => element.textContent);
  }

  isVisible(selector) {
    return this.page.evaluate((wanted) => {
      const element = document.querySelector(wanted);
      return element !== null && element.checkVisibility({ visibilityProperty: true });
    }, selector);
  }

  async waitForSelector(selector, { state = 'visible', timeout = PATIENCE } = {}) {
    await this.page.waitForSelector(selector, {
      visible: state === 'visible', hidden: state === 'hidden', timeout,
    });
  }

  setViewportSize(size) {
    return this.page.setViewport(size);
  }

  /**
   * What only Chromium can: the page's colours are `light-dark()`, which its root decides, too. Whoever looks
   * sees the colours at which the change ends, none on the way.
   */
  emulateMedia({ colorScheme }) {
    return this.page.evaluate(async (scheme) => {
      document.documentElement.style.colorScheme = scheme;
      const passing = document.getAnimations().filter(({ effect }) => effect.getComputedTiming().endTime < Infinity);
      await Promise.allSettled(passing.map(({ finished }) => finished));
    }, colorScheme);
  }

  get keyboard() {
    return this.page.keyboard;
  }

  bringToFront() {
    return this.page.bringToFront();
  }

  close({ runBeforeUnload = false } = {}) {
    return this.page.close({ runBeforeUnload });
  }
}

const PATIENCE = 30_000;
