// What a stranger learns, over Prosody without any privilege.

import { startProsody } from './prosody.mjs';
import { testStrangers } from './strangers.mjs';

testStrangers({ startServer: startProsody, privileged: false, readsBlocks: false });
