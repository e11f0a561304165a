// What a stranger learns, over Ejabberd without any privilege.

import { startEjabberd } from './ejabberd.mjs';
import { testStrangers } from './strangers.mjs';

testStrangers({ startServer: startEjabberd, privileged: false, readsBlocks: false });
