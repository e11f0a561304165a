// What a stranger learns, over Prosody.

import { startProsody } from './prosody.mjs';
import { testStrangers } from './strangers.mjs';

testStrangers({ startServer: startProsody, readsBlocks: true });
