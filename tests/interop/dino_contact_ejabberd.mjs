// Dino and a contact's gateway address, over Ejabberd with privileges.

import { testDinoContact } from './dino-contact.mjs';
import { startEjabberd } from './ejabberd.mjs';

testDinoContact({ startServer: startEjabberd, privileged: true });
