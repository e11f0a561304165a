// Dino and a contact's gateway address, over Prosody without any privilege.

import { testDinoContact } from './dino-contact.mjs';
import { startProsody } from './prosody.mjs';

testDinoContact({ startServer: startProsody, privileged: false });
