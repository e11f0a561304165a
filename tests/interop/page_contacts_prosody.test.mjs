// The page's contacts, over Prosody with privileges.

import { startProsody } from './prosody.mjs';
import { testPageContacts } from './page_contacts.mjs';

testPageContacts({ startServer: startProsody, privileged: true });
