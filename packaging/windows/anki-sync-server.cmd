@echo off
rem Starts the sync server with these settings. Put name and password, as in ann:secret, into the file user1.txt, and
rem let only your own account read it.
setlocal
set "SYNC_BASE=%LOCALAPPDATA%\anki-sync-server\data"
set "SYNC_USER1_FILE=%LOCALAPPDATA%\anki-sync-server\user1.txt"
call "%APPDATA%\npm\anki-sync-server.cmd" >> "%LOCALAPPDATA%\anki-sync-server\log.txt" 2>&1
exit /b %ERRORLEVEL%
