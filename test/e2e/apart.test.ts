// The end-to-end tests that ask most of the services again, with each of these in a process of its own behind the gateway.
import { apartVariable } from '../support/system.ts';

process.env[apartVariable] = 'yes';
await import('./browser.test.ts');
await import('./bad-input.test.ts');
