// The page's contacts, over Ejabberd with privileges.

import { startEjabberd } from './ejabberd.mjs';
import { testPageContacts } from './page_contacts.mjs';

testPageContacts({ startServer: startEjabberd, privileged: true });
