// Who can be called, over Prosody without any privilege.

import { startProsody } from './prosody.mjs';
import { testPeers } from './peers.mjs';

testPeers({ startServer: startProsody, privileged: false });
