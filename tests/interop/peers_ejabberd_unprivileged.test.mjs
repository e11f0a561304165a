// Who can be called, over Ejabberd without any privilege.

import { startEjabberd } from './ejabberd.mjs';
import { testPeers } from './peers.mjs';

testPeers({ startServer: startEjabberd, privileged: false });
