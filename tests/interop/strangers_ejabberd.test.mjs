// What a stranger learns, over Ejabberd.

import { startEjabberd } from './ejabberd.mjs';
import { testStrangers } from './strangers.mjs';

testStrangers({ startServer: startEjabberd, readsBlocks: false });
