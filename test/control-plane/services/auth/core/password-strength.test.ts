import fc from 'fast-check';
import t from 'tap';
import { passwordFault } from '../../../../../control-plane/services/auth/core/password-strength.ts';

const about = ['ada.lovelace@example.com', 'Ada Lovelace'];

t.test('what is easily guessed is refused, whatever it is dressed up as', async (t) => {
  const weak = [
    ...['', 'short', 'elevenchars', 'aaaaaaaaaaaaaaaaaaaa', 'abcabcabcabcabcabc', '12345678901234567890'],
    ...['password1234', 'P@ssw0rd1234', 'PasswordPassword', 'passwordqwerty123', 'qwertyuiopasdfgh'],
    ...['zyxwvutsrqponm', 'lovelace1234', 'Lovelace-2026!', 'ada.lovelace@example.com', 'nearcast2026'],
    ...['Summer2026!!', 'letmeinletmein', '1q1q1q1q1q1q1q', '            ', 'admin-admin-admin'],
  ];
  for (const password of weak) t.type(passwordFault(password, about), 'string', password);
});

t.test('what is long and unlike all that will do, of any alphabet', async (t) => {
  const strong = [
    ...[
      'correct horse battery staple',
      'kv7-Tuq2-mLw9',
      'ich mag keine grauen Elefanten',
      'дождь идёт в субботу',
    ],
    ...['雨が降る土曜日の午後に本を読む', 'tr0ub4dor&3-again', 'x'.repeat(3) + 'g7Kp2mWqZ4nB'],
  ];
  for (const password of strong) t.equal(passwordFault(password, about), undefined, password);
});

t.test('every text is judged, repeating a short one helps nobody, and chance is good enough', async (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (password) => {
      passwordFault(password, about);
    }),
  );
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 6 }), (part) => {
      const password = part.repeat(Math.ceil(40 / part.length));
      t.type(passwordFault(password, about), 'string', password);
    }),
    { numRuns: 50 },
  );
  const letters = fc.constantFrom(...Array.from('bcdfghjkmnpqrstvwxz23456789'));
  fc.assert(
    fc.property(fc.uniqueArray(letters, { minLength: 16, maxLength: 16 }), (some) => {
      t.equal(passwordFault(some.join(''), []), undefined, some.join(''));
    }),
    { numRuns: 50 },
  );
});
