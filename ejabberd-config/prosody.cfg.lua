-- Prosody 0.12 or later for Campana: a component, WebSocket for browsers, guests.
-- Words between @ signs are the values to choose; README.md says what each is.

plugin_paths = { "/usr/lib/prosody/modules" } -- where Debian puts prosody-modules
modules_enabled = {
  "blocklist"; "bosh"; "carbons"; "csi_simple"; "disco"; "pep"; "ping"; "roster"; "saslauth"; "smacks";
  "tls"; "vcard4"; "vcard_legacy"; "version"; "websocket";
  -- Campana sees who is online, and who is whose contact (XEP-0356); every client that asks this
  -- server for ICE servers (XEP-0215) is answered by Campana (XEP-0355). Debian: prosody-modules.
  "privilege"; "delegation";
}
modules_disabled = { "s2s" } -- no federation in this sample; remove the line to federate

authentication = "internal_hashed"
ssl = { certificate = "@CERTIFICATE@"; key = "@CERTIFICATE@" } -- one PEM file with both, or two

-- IM clients.
c2s_ports = { @C2S_PORT@ }
c2s_direct_tls_ports = {}

-- Browsers: ws://…/ws, and http://…/bosh for networks that let no WebSocket through. Put it
-- behind your HTTPS server, which these lines trust.
http_ports = { @HTTP_PORT@ }
http_interfaces = { "@LISTEN@" }
https_ports = {}
http_default_host = "@HOST@" -- whatever name browsers use for it
http_paths = { websocket = "/ws"; bosh = "/bosh" }
consider_websocket_secure = true
consider_bosh_secure = true

-- Campana attaches here: [component] jid, server and secret of its own file.
component_ports = { @COMPONENT_PORT@ }
component_interfaces = { "127.0.0.1" }

privileged_entities = {
  ["call.@HOST@"] = {
    roster = "both"; message = "outgoing"; presence = "roster";
    iq = { ["urn:xmpp:blocking"] = "get" }; -- whom people have blocked (XEP-0191)
  };
}

VirtualHost "@HOST@"
  -- Here and not above: else the component's own host would delegate what is sent to Campana itself.
  delegations = {
    ["urn:xmpp:extdisco:2"] = { jid = "call.@HOST@" };
    ["urn:xmpp:extdisco:1"] = { jid = "call.@HOST@" }; -- for older clients
  }

-- Guests log in without an account and are gone with their connection.
VirtualHost "guest.@HOST@"
  authentication = "anonymous"

Component "call.@HOST@"
  component_secret = "@COMPONENT_SECRET@"
  modules_enabled = { "privilege"; "delegation" }
  -- After a lost connection the old one may look alive for minutes: the new one wins.
  component_conflict_resolve = "kick_old"
