// Who can be called, over Ejabberd as the sample has it.

import { startEjabberd } from './ejabberd.mjs';
import { testPeers } from './peers.mjs';

testPeers({ startServer: startEjabberd, privileged: true });
