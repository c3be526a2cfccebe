/** The client of the console page: code and PKCE, its tokens read and nothing else. */
export const consoleClientId = 'nearcast-console';
/** What the console asks for. */
export const consoleScope = 'openid read';
