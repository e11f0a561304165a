// The round of subscriptions, over Ejabberd without any privilege.

import { startEjabberd } from './ejabberd.mjs';
import { testSubscriptions } from './subscription_round.mjs';

testSubscriptions({ startServer: startEjabberd });
