// Dino and a contact's gateway address, over Prosody with privileges.

import { testDinoContact } from './dino-contact.mjs';
import { startProsody } from './prosody.mjs';

testDinoContact({ startServer: startProsody, privileged: true });
