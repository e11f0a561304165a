// The page's contacts, over Ejabberd without any privilege.

import { startEjabberd } from './ejabberd.mjs';
import { testPageContacts } from './page_contacts.mjs';

testPageContacts({ startServer: startEjabberd, privileged: false });
