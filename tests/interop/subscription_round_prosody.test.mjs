// The round of subscriptions, over Prosody without any privilege.

import { startProsody } from './prosody.mjs';
import { testSubscriptions } from './subscription_round.mjs';

testSubscriptions({ startServer: startProsody });
