// The page's contacts, over Prosody without any privilege.

import { startProsody } from './prosody.mjs';
import { testPageContacts } from './page_contacts.mjs';

testPageContacts({ startServer: startProsody, privileged: false });
