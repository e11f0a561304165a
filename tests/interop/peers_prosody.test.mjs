// Who can be called, over Prosody as the sample has it.

import { startProsody } from './prosody.mjs';
import { testPeers } from './peers.mjs';

testPeers({ startServer: startProsody, privileged: true });
