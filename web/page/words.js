// What the page says, in its two languages.

/** @type {Record<string, [string, string]>} */
const WORDS = {
  // Start
  welcome: ['Calls that work', '好用的通话'],
  welcomeHint: ['Log in with your XMPP account to call people, and to be called.', '用您的 XMPP 账号登录，即可拨打和接听通话。'],
  yourAddress: ['Your address', '您的地址'],
  password: ['Password', '密码'],
  logIn: ['Log in', '登录'],
  asGuest: ['Come as a guest', '以访客身份进入'],
  withAccount: ['Log in with an account instead', '改用账号登录'],
  visitTitle: ['Call {name}', '呼叫 {name}'],
  visitHint: ['You come as a guest: no account is needed.', '以访客身份呼叫，无需账号。'],
  loading: ['Loading …', '正在加载 …'],
  connecting: ['Connecting …', '正在连接 …'],
  logOut: ['Log out', '退出登录'],
  loggedOut: ['Logged out.', '已退出登录。'],
  guest: ['Guest', '访客'],
  aGuest: ['A guest', '一位访客'],
  // Home
  ready: ['Ready. You can be called.', '已就绪，可以接听来电。'],
  readyGuest: ['Ready. You are here as a guest.', '已就绪，您是访客。'],
  people: ['People', '联系人'],
  callSomeone: ['Call someone', '呼叫某人'],
  nameOrAddress: ['Name or address', '姓名或地址'],
  noPeople: ['Nobody to call yet', '还没有可呼叫的人'],
  noPeopleHint: ['People appear here as soon as you may call them. Any address can be called from the field above.', '可以呼叫的人会显示在这里。也可以在上方输入任意地址直接呼叫。'],
  noMatch: ['Nobody by that name', '没有找到'],
  noMatchHint: ['If it is an address, call it with the buttons beside it.', '如果这是一个地址，请用旁边的按钮呼叫。'],
  guestPeopleHint: ['Guests see no list of people: type the address of whom you want to call.', '访客看不到联系人列表：请输入要呼叫的地址。'],
  whom: ['Whom would you like to call?', '想呼叫谁？'],
  whomHint: ['Choose a person, or type an address. Calls reach browsers and XMPP apps alike.', '选择一位联系人，或输入地址。浏览器和各种 XMPP 应用都能接通。'],
  callYourself: ['Call yourself', '呼叫自己'],
  callYourselfHint: ['A test call that plays back what you say.', '测试通话，会回放您说的话。'],
  invite: ['Invite a guest', '邀请访客'],
  inviteHint: ['Copy a link with which anybody can call you.', '复制一个任何人都能呼叫您的链接。'],
  invited: ['The link is copied: {link}', '链接已复制：{link}'],
  inviteByHand: ['With this link anybody can call you: {link}', '任何人都能用此链接呼叫您：{link}'],
  devices: ['Sound and camera', '声音与摄像头'],
  devicesHint: ['Choose what calls are made with.', '选择通话使用的设备。'],
  audioCall: ['Audio call', '语音通话'],
  videoCall: ['Video call', '视频通话'],
  callAudio: ['Call {name}', '呼叫 {name}'],
  callVideo: ['Call {name} with video', '与 {name} 视频通话'],
  'show.chat': ['Free to talk', '有空聊天'],
  'show.available': ['Available', '在线'],
  'show.away': ['Away', '离开'],
  'show.xa': ['Away for long', '长时间离开'],
  'show.dnd': ['Do not disturb', '请勿打扰'],
  'show.unavailable': ['Offline', '离线'],
  noDevice: ['takes no calls', '无法接听'],
  online: ['{name} is online.', '{name} 已上线。'],
  // Calls
  calls: ['{name} calls', '{name} 来电'],
  callsVideo: ['{name} calls with video', '{name} 邀请视频通话'],
  accept: ['Accept', '接听'],
  acceptVideo: ['Accept with video', '视频接听'],
  acceptAudio: ['Without camera', '不开摄像头'],
  decline: ['Decline', '拒绝'],
  'state.new': ['Calling {name} …', '正在呼叫 {name} …'],
  'state.incoming': ['{name} calls.', '{name} 来电。'],
  'state.calling': ['Calling {name} …', '正在呼叫 {name} …'],
  'state.ringing': ['It rings at {name} …', '{name} 正在响铃 …'],
  'state.connecting': ['Connecting with {name} …', '正在与 {name} 接通 …'],
  'state.connected': ['In a call with {name}.', '正在与 {name} 通话。'],
  'phase.new': ['Opening microphone and camera …', '正在打开麦克风和摄像头 …'],
  'phase.calling': ['Calling …', '正在呼叫 …'],
  'phase.ringing': ['Ringing …', '正在响铃 …'],
  'phase.connecting': ['Connecting …', '正在接通 …'],
  callControls: ['Call controls', '通话控制'],
  mute: ['Mute', '静音'],
  unmute: ['Unmute', '取消静音'],
  cameraOff: ['Stop camera', '关闭摄像头'],
  cameraOn: ['Start camera', '打开摄像头'],
  share: ['Share screen', '共享屏幕'],
  unshare: ['Stop sharing', '停止共享'],
  hold: ['Hold', '保持'],
  unhold: ['Resume', '恢复'],
  hangUp: ['Hang up', '挂断'],
  you: ['You', '您'],
  youShare: ['Your screen', '您的屏幕'],
  theyMuted: ['{name} is muted', '{name} 已静音'],
  theyHold: ['{name} put the call on hold', '{name} 保持了通话'],
  youHold: ['You put the call on hold', '您保持了通话'],
  'info.hold': ['{name} put the call on hold.', '{name} 保持了通话。'],
  'info.unhold': ['{name} is back.', '{name} 已恢复通话。'],
  'info.mute.audio': ['{name} is muted.', '{name} 已静音。'],
  'info.unmute.audio': ['{name} can be heard again.', '{name} 已取消静音。'],
  'info.mute.video': ['{name} turned the camera off.', '{name} 关闭了摄像头。'],
  'info.unmute.video': ['{name} turned the camera on.', '{name} 打开了摄像头。'],
  pathLost: ['The connection is weak; looking for another path …', '连接不稳定，正在寻找其他路径 …'],
  deviceLost: ['The {kind} went away.', '{kind}已断开。'],
  deviceReplaced: ['The {kind} went away; another is used.', '{kind}已断开，已改用其他设备。'],
  microphone: ['microphone', '麦克风'],
  camera: ['camera', '摄像头'],
  speaker: ['Speaker', '扬声器'],
  microphoneLabel: ['Microphone', '麦克风'],
  cameraLabel: ['Camera', '摄像头'],
  standard: ['Standard', '默认'],
  numbered: ['{kind} {n}', '{kind} {n}'],
  level: ['Microphone level', '麦克风音量'],
  done: ['Done', '完成'],
  devicesShort: ['Devices', '设备'],
  close: ['Close', '关闭'],
  missed: ['Missed call from {name}, {time}', '{name} 的未接来电，{time}'],
  // How it ended
  over: ['The call is over: {why}.', '通话已结束：{why}。'],
  'end.success': ['hung up', '已挂断'],
  'end.decline': ['declined', '已拒绝'],
  'end.busy': ['busy', '忙线'],
  'end.cancel': ['cancelled', '已取消'],
  'end.timeout': ['nobody answered', '无人接听'],
  'end.gone': ['the other side went away', '对方已离线'],
  'end.elsewhere': ['answered elsewhere', '已在其他设备接听'],
  'end.connectivity-error': ['no path for media was found', '找不到媒体通路'],
  'end.security-error': ['the other side does not encrypt as browsers must', '对方不支持浏览器要求的加密'],
  'end.unsupported-applications': ['no sound or picture that both sides know', '双方没有共同支持的音视频格式'],
  'end.incompatible-parameters': ['the two sides do not fit', '双方参数不兼容'],
  'end.failed-application': ['it could not be set up', '无法建立通话'],
  'end.failed-transport': ['it could not be set up', '无法建立通话'],
  'end.general-error': ['something went wrong', '出现错误'],
  'refused.service-unavailable': ['this address is not available', '该地址无法接通'],
  'refused.recipient-unavailable': ['nobody is available there', '对方现在无法接听'],
  'refused.resource-constraint': ['too many calls for now', '通话过多，请稍后再试'],
  'refused.policy-violation': ['too many calls for now', '通话过多，请稍后再试'],
  'refused.jid-malformed': ['this is no address', '地址格式不正确'],
  'refused.remote-server-not-found': ['this server cannot be reached', '无法连接对方服务器'],
  // What went wrong
  away: ['The connection is away; trying again …', '连接已断开，正在重试 …'],
  back: ['Connected again.', '已重新连接。'],
  'error.login-refused': ['Wrong address or password.', '地址或密码错误。'],
  'error.guest-refused': ['This server takes no guests.', '此服务器不接受访客。'],
  'error.unreachable': ['The server cannot be reached. Is the network all right?', '无法连接服务器。请检查网络。'],
  'error.no-address': ['This domain does not say where browsers may connect.', '此域名未说明浏览器的连接地址。'],
  'error.no-service': ['The server has no call service for browsers right now.', '服务器目前没有浏览器通话服务。'],
  'error.lost': ['The connection was lost.', '连接已断开。'],
  'error.closed': ['The connection was closed: someone logged in in this one’s place.', '连接已关闭：已在别处登录。'],
  'error.timeout': ['The server did not answer in time.', '服务器没有及时响应。'],
  'error.refused': ['Refused: {why}.', '被拒绝：{why}。'],
  'error.media-denied': ['The browser may not use microphone or camera. Allow it beside the address bar.', '浏览器未获准使用麦克风或摄像头。请在地址栏旁允许。'],
  'error.media-missing': ['No microphone or camera was found.', '未找到麦克风或摄像头。'],
  'error.media-busy': ['Microphone or camera cannot be opened. Perhaps another program uses them.', '无法打开麦克风或摄像头，可能被其他程序占用。'],
  'error.media-insecure': ['Browsers give microphone and camera to pages over HTTPS only.', '浏览器只允许 HTTPS 页面使用麦克风和摄像头。'],
  'error.screen-missing': ['No screen can be shared here.', '此处无法共享屏幕。'],
  'error.config': ['Campana does not answer.', 'Campana 没有响应。'],
  // Network
  network: ['Network', '网络'],
  networkShort: ['Network', '网络'],
  path: ['Path', '路径'],
  'path.direct': ['Direct', '直连'],
  'path.relay': ['Through a relay', '经中继'],
  'path.unknown': ['Not yet known', '尚不清楚'],
  rtt: ['Round trip', '往返时延'],
  incomingRate: ['Receiving', '接收'],
  outgoingRate: ['Sending', '发送'],
  streams: ['Streams', '媒体流'],
  stream: ['Stream', '流'],
  codec: ['Codec', '编码'],
  bitrate: ['Bitrate', '码率'],
  loss: ['Loss', '丢包'],
  pairs: ['Candidate pairs', '候选对'],
  ours: ['Ours', '本端'],
  theirs: ['Theirs', '对端'],
  pairState: ['State', '状态'],
  selected: ['in use', '使用中'],
  'pair.frozen': ['waiting', '等待中'],
  'pair.waiting': ['waiting', '等待中'],
  'pair.in-progress': ['checking', '检查中'],
  'pair.succeeded': ['works', '可用'],
  'pair.failed': ['failed', '失败'],
  'kind.audio': ['sound', '声音'],
  'kind.video': ['picture', '画面'],
  hidden: ['hidden', '隐藏'],
  language: ['中文', 'English'],
};

const STORE = 'campana.language';

/** @type {'en' | 'zh'} */
let language = stored() ?? (navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en');

/**
 * The words for `key`, with what stands in braces filled in; the key itself if there are none.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export function words(key, values = {}) {
  const text = WORDS[key]?.[language === 'zh' ? 1 : 0] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => `${values[name] ?? ''}`);
}

/** A moment as people say it: the day only if it is another. @param {Date} at */
export function moment(at) {
  const today = at.toDateString() === new Date().toDateString();
  /** @type {Intl.DateTimeFormatOptions} */
  const clock = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };
  return at.toLocaleString(document.documentElement.lang, today ? clock : { month: 'long', day: 'numeric', ...clock });
}

/** Whether there are words for it. @param {string} key */
export const knows = (key) => key in WORDS;

/** Writes the words of all elements that name theirs. */
export function translate(root = document.documentElement) {
  document.documentElement.lang = language === 'zh' ? 'zh-Hans' : 'en';
  for (const found of root.querySelectorAll('[data-text]')) {
    found.textContent = words(/** @type {HTMLElement} */ (found).dataset.text ?? '');
  }
  for (const found of root.querySelectorAll('[data-label]')) {
    const text = words(/** @type {HTMLElement} */ (found).dataset.label ?? '');
    found.setAttribute('aria-label', text);
    if (found.tagName === 'BUTTON') found.setAttribute('title', text);
  }
  for (const found of root.querySelectorAll('[data-placeholder]')) {
    found.setAttribute('placeholder', words(/** @type {HTMLElement} */ (found).dataset.placeholder ?? ''));
  }
}

/** The other language, from now on. */
export function switchLanguage() {
  language = language === 'zh' ? 'en' : 'zh';
  try {
    localStorage.setItem(STORE, language);
  } catch {
    // Not remembered, then.
  }
  translate();
}

function stored() {
  try {
    const known = localStorage.getItem(STORE);
    return known === 'zh' || known === 'en' ? known : null;
  } catch {
    return null;
  }
}
