// Dino and a contact's gateway address, over Ejabberd without any privilege.

import { testDinoContact } from './dino-contact.mjs';
import { startEjabberd } from './ejabberd.mjs';

testDinoContact({ startServer: startEjabberd, privileged: false });
