// A viewer's whole way again, with search and playback in processes of their own behind the gateway; all of the end-to-end tests run so
// with this variable set.
import { apartVariable } from '../support/apart-variable.ts';

process.env[apartVariable] = 'yes';
await import('./browser.test.ts');
